// whmcs: actions in lower case, an md5 for a password, an access key where one is configured.
const WHMCS = require('whmcs')

const { config, body } = JSON.parse(process.env.CALL)
const client = new WHMCS({ serverUrl: process.env.API_URL, ...config })
client.utils.modem({ client: client.support, body }, (error, data) =>
  console.log(JSON.stringify(error ? { error: error.message } : data)))

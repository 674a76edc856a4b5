// whmcs-api: GET, with everything in the query.
const WHMCS = require('whmcs-api')

const { config, action, parameters } = JSON.parse(process.env.CALL)
const client = new WHMCS({ endpoint: process.env.API_URL, ...config })
client.call(action, parameters).then(
  answer => console.log(JSON.stringify(answer)),
  error => console.log(JSON.stringify({ error: error.message })))

// whmcs-js: POST, with whichever form of credentials it is given.
const { Tickets } = require('whmcs-js')

const { credentials, method, options } = JSON.parse(process.env.CALL)
const tickets = new Tickets({ serverUrl: process.env.API_URL, ...credentials })
tickets[method](options).then(answer => console.log(JSON.stringify(answer)))

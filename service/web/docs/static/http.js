'use strict';

// The token stays in this tab: it is neither stored nor sent anywhere but to this service.
SwaggerUIBundle({
  url: '/openapi.json',
  domNode: document.getElementById('document'),
  deepLinking: true,
  showExtensions: true,
  validatorUrl: null,
});

// Sends the form of the "form_post" response mode on to the app. The prototype's method is called because a
// field of the form may itself be named "submit". Without JavaScript the page's button does the same.
"use strict";
for (const form of document.querySelectorAll("form[data-submit-at-once]")) {
  HTMLFormElement.prototype.submit.call(form);
}

// Passkeys: asks the server for a challenge, the browser for its answer, and sends that with the ordinary form. A form
// that needs this is hidden until here, so that without JavaScript or WebAuthn it never shows.
"use strict";

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const withBytes = (options) => {
  options.challenge = toBytes(options.challenge);
  if (options.user) {
    options.user.id = toBytes(options.user.id);
  }
  for (const list of [options.excludeCredentials, options.allowCredentials]) {
    for (const credential of list ?? []) {
      credential.id = toBytes(credential.id);
    }
  }
  return options;
};

const asJson = (credential) => {
  const { response } = credential;
  const parts = ["attestationObject", "clientDataJSON", "authenticatorData", "signature", "userHandle"];
  const answer = {};
  for (const part of parts) {
    if (response[part]) {
      answer[part] = toText(response[part]);
    }
  }
  if (response.getTransports) {
    answer.transports = response.getTransports();
  }
  return JSON.stringify({
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    extensions: {},
    response: answer,
  });
};

const answer = async (form) => {
  const asked = await fetch(form.dataset.challenge, {
    method: "POST",
    body: new URLSearchParams({ csrf: form.elements.csrf.value }),
  });
  if (asked.redirected) {
    // The session is over, or wants to be proved first.
    location.assign(asked.url);
    return;
  }
  if (!asked.ok) {
    throw new Error(`the server answered ${asked.status}`);
  }
  const { challenge, options } = await asked.json();
  const publicKey = withBytes(options);
  const credential =
    form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey })
      : await navigator.credentials.get({ publicKey });
  form.elements.challenge.value = challenge;
  form.elements.credential.value = asJson(credential);
  HTMLFormElement.prototype.submit.call(form);
};

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button[type=submit]");
    const problem = form.querySelector("[data-passkey-problem]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      problem.hidden = true;
      try {
        await answer(form);
      } catch (cause) {
        const known = cause.name === "InvalidStateError";
        problem.textContent = known
          ? "This device has a passkey for this account already."
          : "No passkey was used. Try again, or use another way in.";
        problem.hidden = false;
      } finally {
        button.disabled = false;
      }
    });
  }
}

// A browser without JavaScript: follows redirects, keeps cookies, reads forms and links with a real HTML parser.
// It treats http://localhost and 127.0.0.1 as secure, as browsers do, so Secure and __Host- cookies work there.
// Pages that need scripts or rendering are Chromium's business (chromium.mjs).

import { CookieJar } from 'tough-cookie';
import { parse } from 'parse5';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export class Browser {
  /** `stopAt`: URL prefixes that are not fetched; a redirect there ends the walk and is returned as the page. */
  constructor({ stopAt = [] } = {}) {
    this.jar = new CookieJar(undefined, { prefixSecurity: 'strict' });
    this.stopAt = stopAt;
    /** Every request made: `METHOD url -> status`. Printed when a test fails to find what it looks for. */
    this.log = [];
  }

  open(url) {
    return this.#walk('GET', new URL(url), undefined, undefined);
  }

  /** Fills the form that has all the fields of `values` (or the first one) and submits it. */
  submit(page, values = {}, { button } = {}) {
    const names = Object.keys(values);
    const form = page.forms.find((f) => names.every((n) => f.fields.some((field) => field.name === n)));
    if (!form) throw new Error(`no form with ${names.join(', ') || 'anything'} on ${page}`);
    return this.send(page, form, values, button ?? form.buttons[0]);
  }

  /** Clicks the link or submit button whose visible text holds `text` (a string or a regular expression). */
  click(page, text) {
    const fits = (label) => (text instanceof RegExp ? text.test(label) : label.includes(text));
    for (const form of page.forms) {
      const button = form.buttons.find((b) => fits(b.label));
      if (button) return this.send(page, form, {}, button);
    }
    const link = page.links.find((l) => fits(l.label));
    if (!link) throw new Error(`nothing to click named ${text} on ${page}`);
    return this.#walk('GET', new URL(link.href, page.url), undefined, page.url);
  }

  send(page, form, values, button) {
    const data = new URLSearchParams();
    for (const field of form.fields) data.append(field.name, values[field.name] ?? field.value);
    if (button?.name) data.append(button.name, button.value);
    const url = new URL(button?.action || form.action || page.url, page.url);
    if ((button?.method || form.method) === 'POST') return this.#walk('POST', url, data.toString(), page.url);
    url.search = data.toString();
    return this.#walk('GET', url, undefined, page.url);
  }

  async cookies(url) {
    return this.jar.getCookies(url);
  }

  async #walk(method, url, body, from) {
    // SameSite: what is typed into the address bar carries every cookie, a navigation by GET carries Lax cookies from
    // anywhere, a POST only within its own site.
    const sameSite = !from || from.hostname === url.hostname;
    let context = sameSite ? 'strict' : method === 'GET' ? 'lax' : 'none';
    const redirects = [];
    for (let hop = 0; hop <= 20; hop++) {
      if (this.stopAt.some((prefix) => url.href.startsWith(prefix))) {
        return new Page(url, undefined, new Headers(), '', redirects, method, body, this.log);
      }
      const headers = { accept: 'text/html,*/*;q=0.8', 'accept-language': 'en' };
      const cookie = await this.jar.getCookieString(url.href, { sameSiteContext: context });
      if (cookie) headers.cookie = cookie;
      if (body !== undefined) {
        headers['content-type'] = 'application/x-www-form-urlencoded';
        if (from) headers.origin = from.origin;
      }
      const response = await fetch(url, { method, headers, body, redirect: 'manual' });
      this.log.push(`${method} ${url.href} -> ${response.status}`);
      for (const line of response.headers.getSetCookie()) {
        await this.jar.setCookie(line, url.href, { sameSiteContext: context });
      }
      const text = await response.text();
      const location = response.headers.get('location');
      if (!REDIRECTS.has(response.status) || !location) {
        return new Page(url, response.status, response.headers, text, redirects, method, body, this.log);
      }
      redirects.push({ from: url.href, status: response.status, location });
      const next = new URL(location, url);
      if (response.status <= 303 && method !== 'HEAD') [method, body] = ['GET', undefined];
      if (next.hostname !== url.hostname) context = method === 'GET' ? 'lax' : 'none';
      url = next;
    }
    throw new Error(`more than 20 redirects:\n${this.log.join('\n')}`);
  }
}

export class Page {
  constructor(url, status, headers, html, redirects, method, body, log) {
    Object.assign(this, { url, status, headers, html, redirects, method, body, log });
    this.forms = [];
    this.links = [];
    this.title = '';
    const document = parse(html);
    this.text = label(document);
    read(document, this, undefined);
    // A control may stand outside its form and name it.
    for (const { owner, button } of this.strays ?? []) this.forms.find((f) => f.id === owner)?.buttons.push(button);
  }

  toString() {
    const shown = this.text.slice(0, 600);
    return `${this.url.href} (${this.status}, “${this.title}”)\n${shown}\nafter\n${this.log.slice(-12).join('\n')}`;
  }
}

const attribute = (node, name) => node.attrs?.find((a) => a.name === name)?.value;

/** The text a reader sees, white space folded; an `aria-label` stands for what it labels. */
function label(node) {
  if (node.nodeName === '#text') return node.value;
  if (['script', 'style', 'head', 'template', 'svg'].includes(node.nodeName)) return '';
  const own = attribute(node, 'aria-label');
  if (own) return own;
  const block = ['p', 'div', 'li', 'h1', 'h2', 'h3', 'form', 'button', 'label', 'tr', 'td', 'dd', 'dt'].includes(node.nodeName);
  const text = (node.childNodes ?? []).map(label).join('').replace(/\s+/g, ' ');
  return block ? ` ${text} ` : text;
}

function read(node, page, form) {
  const name = attribute(node, 'name');
  switch (node.nodeName) {
    case 'title':
      page.title = node.childNodes[0]?.value?.trim() ?? '';
      break;
    case 'form':
      form = { id: attribute(node, 'id'), action: attribute(node, 'action'), method: (attribute(node, 'method') ?? 'get').toUpperCase(), fields: [], buttons: [] };
      page.forms.push(form);
      break;
    case 'a':
      if (attribute(node, 'href') !== undefined) page.links.push({ href: attribute(node, 'href'), label: label(node).trim() });
      break;
    case 'input':
    case 'button': {
      const owner = attribute(node, 'form');
      if ((!form && !owner) || attribute(node, 'disabled') !== undefined) break;
      const type = (attribute(node, 'type') ?? (node.nodeName === 'button' ? 'submit' : 'text')).toLowerCase();
      const value = attribute(node, 'value') ?? '';
      if (type === 'submit' || type === 'image') {
        const shown = label(node).trim() || value;
        const button = { name, value, label: shown, action: attribute(node, 'formaction'), method: attribute(node, 'formmethod')?.toUpperCase() };
        if (owner) (page.strays ??= []).push({ owner, button });
        else form.buttons.push(button);
      } else if (form && name && type !== 'button' && type !== 'reset') {
        const box = type === 'checkbox' || type === 'radio';
        if (!box || attribute(node, 'checked') !== undefined) form.fields.push({ name, type, value: value || (box ? 'on' : '') });
      }
      break;
    }
    case 'textarea':
      if (form && name) form.fields.push({ name, type: 'textarea', value: label(node) });
      break;
    case 'select':
      if (form && name) {
        const options = (node.childNodes ?? []).filter((n) => n.nodeName === 'option');
        const chosen = options.find((o) => attribute(o, 'selected') !== undefined) ?? options[0];
        form.fields.push({ name, type: 'select', value: chosen ? (attribute(chosen, 'value') ?? label(chosen).trim()) : '' });
      }
      break;
  }
  for (const child of node.childNodes ?? []) read(child, page, form);
}

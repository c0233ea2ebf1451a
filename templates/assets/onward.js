// Follows the page's one link. From a page of ours, so that the browser brings the session's cookie, which it would not
// after a chain of redirects that began elsewhere. Without JavaScript a click does the same.
"use strict";
const onward = document.querySelector("a[data-onward]");
if (onward) {
  location.replace(onward.href);
}

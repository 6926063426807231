// Fetches what the check behind the page has found, until it has ended.
(function () {
  "use strict";
  var place = document.getElementById("mx-check"), failures = 0;
  var here = location.protocol + "//" + location.host + location.pathname;
  function look() {
    var request = new XMLHttpRequest(); // fetch() takes every text for UTF-8
    request.onload = function () {
      if (request.status !== 200) { return again(); }
      failures = 0;
      place.innerHTML = request.responseText;
      if (place.querySelector("[data-running]")) { setTimeout(look, 2000); }
    };
    request.onerror = again;
    request.open("GET", here + "?page=found&check=" + place.getAttribute("data-check"));
    request.send();
  }
  function again() {
    failures += 1;
    if (failures < 20) { setTimeout(look, 5000); }
  }
  if (place.hasAttribute("data-running")) { setTimeout(look, 1000); }
})();

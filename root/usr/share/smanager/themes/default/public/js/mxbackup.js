// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the frame as high as the panel in it, and says that the session has ended only when something else is in it.
(function () {
    'use strict';
    var frame = document.getElementById('mxbackup-panel');
    var ended = document.getElementById('mxbackup-ended');
    if (!frame || frame.dataset.fitted || !window.ResizeObserver) return;
    frame.dataset.fitted = 'yes'; // layout and template may both link this script

    function panel() {
        var page = frame.contentDocument; // null for a page of another origin, and for the browser's own of an error
        return page && page.querySelector('meta[name="application-name"][content="mxbackup"]') && page.documentElement;
    }

    var observer = new ResizeObserver(function () {
        var shown = panel();
        if (shown) frame.style.height = Math.ceil(shown.getBoundingClientRect().height) + 'px';
    });

    function loaded() {
        var shown = panel();
        ended.hidden = Boolean(shown);
        observer.disconnect();
        if (!shown) {
            frame.style.height = '';
            return;
        }
        observer.observe(shown);
        if (frame.getBoundingClientRect().top < 0) frame.scrollIntoView(); // a link at the foot of a long page led here
    }

    ended.hidden = true;
    frame.addEventListener('load', loaded);
    if (panel() && frame.contentDocument.readyState === 'complete') loaded();
})();

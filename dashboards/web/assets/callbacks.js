// Callbacks that need no server.
window.dash_clientside = Object.assign({}, window.dash_clientside, {
  mauwatch: {
    // Another month or reading is another address: the page can be linked to, and Back leads back.
    choose: function (month, reading) {
      const address = new URL(window.location.href);
      address.searchParams.set("month", month);
      address.searchParams.set("reading", reading);
      if (address.href !== window.location.href) window.location.assign(address.href);
      return window.dash_clientside.no_update;
    },
  },
});

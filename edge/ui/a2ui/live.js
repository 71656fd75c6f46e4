// Loads the page again when the gateway says that a file of the canvas has changed.
(() => {
  const place = location.pathname.match(/^(.*)\/__openclaw__\/(?:canvas|a2ui)(?:\/|$)/);
  const capability = new URLSearchParams(location.search).get("oc_cap");
  let waits = 1000;
  if (!place) return;

  function listen() {
    const query = capability ? `?oc_cap=${encodeURIComponent(capability)}` : "";
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${place[1]}/__openclaw__/ws${query}`);
    socket.onopen = () => { waits = 1000; };
    socket.onmessage = (event) => { if (event.data === "reload") location.reload(); };
    socket.onclose = () => {
      setTimeout(listen, waits);
      waits = Math.min(waits * 2, 60000); // a capability that is void stays void
    };
  }

  listen();
})();

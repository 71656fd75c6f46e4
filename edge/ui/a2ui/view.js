// The components of A2UI's standard catalog (v0.8) as elements of the page.

import { pathOf } from "./model.js";

const DEPTH_MAX = 64;
const ELEMENTS_MAX = 5000;
const LOADED = /^(https?:|data:(image|video|audio)\/|blob:|[^:]*$)/i;
const GLYPHS = { add: "+", arrowBack: "←", arrowForward: "→", check: "✓", close: "✕", delete: "🗑", edit: "✎", error: "⚠",
  favorite: "♥", favoriteOff: "♡", home: "⌂", info: "ℹ", locationOn: "📍", lock: "🔒", mail: "✉", menu: "☰", notifications: "🔔",
  person: "👤", phone: "☎", play: "▶", refresh: "↻", search: "🔍", send: "➤", settings: "⚙", share: "⤴", shoppingCart: "🛒",
  star: "★", starOff: "☆", upload: "⬆", download: "⬇", warning: "⚠" };

function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content.filter((one) => one !== null && one !== undefined));
  return made;
}

const text = (value) => (value === undefined || value === null ? "" : String(value));
const word = (value, ...choices) => (choices.includes(value) ? value : choices[0]);

export class View {
  // `surface` is what is shown, `act(action, component, scope)` tells that the user did something, `turned()` that
  // another tab or dialog is open now, which is kept in `open`: it outlives one rendering.
  constructor(surface, { act, turned, open }) {
    Object.assign(this, { surface, act, turned, open, made: 0, updates: [] });
  }

  render() {
    const box = element("section", "surface");
    const { primaryColor, font } = this.surface.styles;
    box.dataset.surface = this.surface.id;
    if (CSS.supports("color", text(primaryColor))) box.style.setProperty("--accent", primaryColor);
    if (font) box.style.fontFamily = text(font);
    if (this.surface.root !== null) box.append(this.component(this.surface.root, "", 0));
    return box;
  }

  component(id, scope, depth) {
    const one = this.surface.components.get(id);
    if (!one || depth > DEPTH_MAX || ++this.made > ELEMENTS_MAX) return element("span");
    const props = typeof one.props === "object" ? one.props : {};
    const context = { ...one, props, scope, depth, key: `${this.surface.id} ${id} ${scope}`,
      value: (bound) => this.surface.value(bound, scope) };
    const make = Object.hasOwn(View.kinds, one.kind) ? View.kinds[one.kind] : null;
    const made = make ? make.call(this, props, context) : element("p", "caption", `(${one.kind} cannot be shown)`);
    made.dataset.component = id;
    if (typeof one.weight === "number" && one.weight > 0) made.style.flex = `${one.weight} 1 0`;
    return made;
  }

  child(id, { scope, depth }) {
    return typeof id === "string" ? this.component(id, scope, depth + 1) : null;
  }

  children(list, context) {
    if (Array.isArray(list?.explicitList)) return list.explicitList.map((id) => this.child(id, context));
    const { componentId, dataBinding } = list?.template ?? {};
    if (typeof componentId !== "string" || typeof dataBinding !== "string") return [];
    return this.surface.scopes(dataBinding, context.scope).map((scope) => this.child(componentId, { ...context, scope }));
  }

  // Shows a bound value, now and whenever the user gives the data another one.
  show(bound, { value }, put) {
    const update = () => put(value(bound));
    this.updates.push(update);
    update();
  }

  label(name, className, bound, context) {
    const made = element(name, className);
    this.show(bound, context, (value) => { made.textContent = text(value); });
    return made;
  }

  // An input whose value is that of the data; a value without a path stays in the input. Nothing on the page is replaced
  // while somebody types, draws or clicks: what shows the same data is told alone.
  bind(input, bound, { scope, key }, read) {
    input.dataset.key = key;
    input.addEventListener("input", () => {
      if (typeof bound?.path !== "string") return;
      this.surface.write(pathOf(bound.path, scope), read());
      this.updates.forEach((update) => update());
    });
    return input;
  }

  static media(name, url) {
    const made = element(name);
    if (LOADED.test(text(url))) made.src = text(url);
    return made;
  }

  static flex(className, props, children) {
    const main = word(props.distribution, "start", "center", "end", "spaceBetween", "spaceAround", "spaceEvenly");
    const cross = word(props.alignment, "stretch", "start", "center", "end");
    return element("div", `${className} ${main} align-${cross}`, ...children);
  }

  static kinds = {
    Text(props, context) {
      const hint = word(props.usageHint, "body", "h1", "h2", "h3", "h4", "h5", "caption");
      return this.label(hint.startsWith("h") ? hint : "p", hint === "caption" ? hint : "", props.text, context);
    },
    Image(props, { value }) {
      const made = View.media("img", value(props.url));
      made.alt = "";
      made.className = word(props.usageHint, "", "icon", "avatar", "smallFeature", "mediumFeature", "largeFeature", "header");
      made.style.objectFit = word(props.fit, "", "contain", "cover", "fill", "none", "scale-down");
      return made;
    },
    Icon(props, { value }) {
      const name = text(value(props.name));
      const made = element("span", "icon", Object.hasOwn(GLYPHS, name) ? GLYPHS[name] : "•");
      made.setAttribute("role", "img");
      made.setAttribute("aria-label", name);
      return made;
    },
    Video(props, { value }) {
      return Object.assign(View.media("video", value(props.url)), { controls: true });
    },
    AudioPlayer(props, context) {
      const player = Object.assign(View.media("audio", context.value(props.url)), { controls: true });
      return element("div", "", this.label("p", "caption", props.description, context), player);
    },
    Row(props, context) {
      return View.flex("row", props, this.children(props.children, context));
    },
    Column(props, context) {
      return View.flex("column", props, this.children(props.children, context));
    },
    List(props, context) {
      return View.flex(props.direction === "horizontal" ? "list horizontal" : "list", props,
        this.children(props.children, context));
    },
    Card(props, context) {
      return element("div", "card", this.child(props.child, context));
    },
    Divider(props) {
      return element("hr", props.axis === "vertical" ? "divider vertical" : "divider");
    },
    Tabs(props, context) {
      const items = Array.isArray(props.tabItems) ? props.tabItems : [];
      const shown = Math.min(this.open.get(context.key) ?? 0, Math.max(items.length - 1, 0));
      const heads = items.map((item, index) => {
        const head = element("button", "", text(context.value(item?.title)));
        head.type = "button";
        head.setAttribute("role", "tab");
        head.setAttribute("aria-selected", String(index === shown));
        head.addEventListener("click", () => { this.open.set(context.key, index); this.turned(); });
        return head;
      });
      return element("div", "", element("div", "tabs", ...heads), this.child(items[shown]?.child, context));
    },
    Modal(props, context) {
      const close = element("button", "", "Close");
      const dialog = element("dialog", "", this.child(props.contentChild, context), close);
      const entry = element("div", "", this.child(props.entryPointChild, context));
      entry.addEventListener("click", () => { this.open.set(context.key, true); this.turned(); });
      close.addEventListener("click", () => { this.open.delete(context.key); this.turned(); });
      dialog.open = this.open.has(context.key);
      return element("div", "", entry, dialog);
    },
    Button(props, context) {
      const made = element("button", props.primary ? "primary" : "", this.child(props.child, context));
      made.type = "button";
      made.addEventListener("click", () => { if (props.action?.name) this.act(props.action, context.id, context.scope); });
      return made;
    },
    CheckBox(props, context) {
      const input = Object.assign(element("input"), { type: "checkbox" });
      this.bind(input, props.value, context, () => input.checked);
      this.show(props.value, context, (value) => { if (document.activeElement !== input) input.checked = Boolean(value); });
      return element("label", "inline", input, this.label("span", "", props.label, context));
    },
    TextField(props, context) {
      const isLong = props.textFieldType === "longText";
      const input = element(isLong ? "textarea" : "input");
      const types = { number: "number", date: "date", obscured: "password" };
      if (!isLong) input.type = Object.hasOwn(types, props.textFieldType) ? types[props.textFieldType] : "text";
      if (!isLong && typeof props.validationRegexp === "string") input.pattern = props.validationRegexp;
      this.bind(input, props.text, context, () => input.value);
      this.show(props.text, context, (value) => { if (document.activeElement !== input) input.value = text(value); });
      return element("label", "", this.label("span", "caption", props.label, context), input);
    },
    DateTimeInput(props, context) {
      const hasDate = props.enableDate !== false;
      const hasTime = props.enableTime === true;
      const input = element("input");
      input.type = hasDate && hasTime ? "datetime-local" : hasTime ? "time" : "date";
      input.value = text(context.value(props.value));
      return this.bind(input, props.value, context, () => input.value);
    },
    MultipleChoice(props, context) {
      const chosen = context.value(props.selections);
      const input = element("select");
      input.multiple = props.maxAllowedSelections !== 1;
      for (const option of Array.isArray(props.options) ? props.options : []) {
        const made = Object.assign(element("option", "", text(context.value(option?.label))), { value: text(option?.value) });
        made.selected = Array.isArray(chosen) ? chosen.includes(made.value) : chosen === made.value;
        input.append(made);
      }
      const most = props.maxAllowedSelections > 0 ? props.maxAllowedSelections : Infinity;
      return this.bind(input, props.selections, context,
        () => Array.from(input.selectedOptions, (option) => option.value).slice(0, most));
    },
    Slider(props, context) {
      const input = Object.assign(element("input"), { type: "range" });
      input.min = props.minValue ?? 0;
      input.max = props.maxValue ?? 100;
      input.step = "any";
      this.show(props.value, context, (value) => {
        if (document.activeElement !== input) input.value = text(value ?? input.min);
      });
      return this.bind(input, props.value, context, () => Number(input.value));
    },
  };
}

const { paths } = await (await fetch("/openapi.json")).json();
for (const [path, methods] of Object.entries(paths)) {
  for (const [method, about] of Object.entries(methods)) {
    const title = document.createElement("h2");
    title.textContent = `${method.toUpperCase()} ${path}`;
    const text = document.createElement("p");
    text.textContent = about.description ?? "";
    document.getElementById("paths").append(title, text);
    const example = about.requestBody?.content["application/json"]?.example;
    if (example) {
      const body = document.createElement("pre");
      body.textContent = JSON.stringify(example);
      document.getElementById("paths").append(body);
    }
  }
}

const { paths } = await (await fetch("/openapi.json")).json();
for (const [path, methods] of Object.entries(paths)) {
  for (const [method, about] of Object.entries(methods)) {
    const title = document.createElement("h2");
    title.textContent = `${method.toUpperCase()} ${path}`;
    const text = document.createElement("p");
    text.textContent = (about.description ?? "").replaceAll("``", "");
    document.getElementById("paths").append(title, text);
    const fields = Object.entries(about.requestBody?.content["multipart/form-data"]?.schema.properties ?? {});
    if (fields.length) {
      const line = document.createElement("p");
      line.textContent = `Fields of a form: ${fields.map(([name, { description, enum: choice }]) => `${name} (${description ?? choice?.join(" or ") ?? "a file"})`).join("; ")}.`;
      document.getElementById("paths").append(line);
    }
    const example = about.requestBody?.content["application/json"]?.example;
    if (example) {
      const body = document.createElement("pre");
      body.textContent = JSON.stringify(example);
      document.getElementById("paths").append(body);
    }
  }
}

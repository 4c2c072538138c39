/** The library of the language client, in a bundle of its own: it is most of the code, and activation can't wait for it. */

export * from "vscode-languageclient/node";

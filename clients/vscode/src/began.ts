/** When the extension's code began to run, in milliseconds of `performance.now()`. Imported before the code that counts. */
export const began = performance.now();

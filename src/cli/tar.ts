/** A file of an archive. */
export interface TarFile {
  readonly name: string;
  readonly text: string;
}

const BLOCK = 512;

/**
 * An archive in the ustar format (POSIX.1-2001): plain files, mode 0600, owned by nobody in particular. Names of at most 100
 * bytes. `mtime` is in seconds since 1970.
 */
export function tarOf(files: readonly TarFile[], mtime: number): Uint8Array {
  const parts = files.flatMap(({ name, text }) => {
    const content = Buffer.from(text);
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    return [header(name, content.length, mtime), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(name: string, size: number, mtime: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => Math.floor(value).toString(8).padStart(digits, "0");
  block.write(name.slice(0, 100), 0);
  block.write(`${octal(0o600, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100);
  block.write(`${octal(size, 11)}\0${octal(mtime, 11)}\0`, 124);
  block.fill(" ", 148, 156);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/** `1 file`, `2 files`: numbers with the word for what they count. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

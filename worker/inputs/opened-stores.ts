/** Stores of parts that a thread reads uploaded inputs from: each is opened once. */
import { openPartStore, type PartAccess, type PartStore } from "../../data/part-store.ts";

const STORES_MAX = 16;

/** @throws {PeError} `PE_PARAMETER` when the URL is none of a store. */
export function openedStores(access: PartAccess): (url: string) => PartStore {
  const stores = new Map<string, PartStore>();
  return (url) => {
    let store = stores.get(url);
    if (store === undefined) {
      store = openPartStore(url, access);
      stores.set(url, store);
      if (stores.size > STORES_MAX) stores.delete(stores.keys().next().value!);
    }
    return store;
  };
}

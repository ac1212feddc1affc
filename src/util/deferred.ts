/** A promise with its resolve and reject outside (Promise.withResolvers, which Node has from 22 on). */

export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T | PromiseLike<T>) => void
  readonly reject: (reason: unknown) => void
}

export function createDeferred<T>(): Deferred<T> {
  let resolve: Deferred<T>['resolve'] = unset
  let reject: Deferred<T>['reject'] = unset
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}

/** Never called: the promise's executor runs before createDeferred returns (ECMA-262 27.2.3.1). */
function unset(): never {
  throw new Error('a deferred was used before its promise was made')
}

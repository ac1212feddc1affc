/** RUN --mount in its forms. */
import { describe, expect, it } from 'vitest'
import { parseRunMount } from '../../../src/dockerfile/parse-run-mount.ts'

const parse = (text: string) => parseRunMount(text, { file: 'Dockerfile', line: 2 })

describe('parseRunMount()', () => {
  it('reads every type with its defaults', () => {
    expect(parse('type=cache,target=/c')).toEqual({
      type: 'cache',
      target: '/c',
      source: '/',
      from: undefined,
      id: '/c',
      sharing: 'shared',
      readOnly: false,
      mode: 0o755,
      uid: 0,
      gid: 0,
    })
    expect(parse('target=/b,from=x,src=y')).toMatchObject({
      type: 'bind',
      source: 'y',
      readOnly: true,
    })
    expect(parse('type=bind,dst=/b,rw')).toMatchObject({ readOnly: false, source: '/' })
    expect(parse('type=tmpfs,target=/t,size=1m')).toEqual({
      type: 'tmpfs',
      target: '/t',
      size: '1m',
    })
    expect(parse('type=secret,id=s')).toMatchObject({ target: '/run/secrets/s', mode: 0o400 })
    expect(parse('type=secret,id=s,env=S')).toMatchObject({ target: undefined, env: 'S' })
  })

  it.each([
    ['type=ssh', 'type=ssh is not supported'],
    ['type=nfs,target=/x', 'a mount of type "nfs" is not known'],
    ['type=cache', 'needs a target'],
    ['type=cache,target=/x,size=1', 'a mount of type cache has no field "size"'],
    ['type=cache,target=/x,sharing=all', 'sharing of a mount is'],
    ['type=cache,target=/x,mode=9', 'mode of a mount is octal'],
    ['type=secret,uid=-1,id=x', 'uid of a mount is a number'],
    ['type=secret', 'needs an id'],
    ['target=/x,target=/y', 'the mount names "target" twice'],
    ['type=cache,target=/x,ro=maybe', 'readonly of a mount is true or false'],
    ['target=/x,,', 'has an empty field'],
  ])('refuses %s', (text, message) => {
    expect(() => parse(text)).toThrow(message)
  })
})

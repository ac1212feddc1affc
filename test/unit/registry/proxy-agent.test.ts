import { describe, expect, it } from 'vitest'
import { proxyFor } from '../../../src/registry/proxy-agent.ts'

const PROXY = 'http://proxy:3128'

describe('proxyFor()', () => {
  it('takes the lower-case variable first, as curl does', () => {
    const env = { https_proxy: 'http://lower:1', HTTPS_PROXY: PROXY }
    expect(proxyFor(new URL('https://r.example/'), env)?.host).toBe('lower:1')
    expect(proxyFor(new URL('https://r.example/'), { HTTPS_PROXY: '' })).toBeUndefined()
    expect(proxyFor(new URL('https://r.example/'), {})).toBeUndefined()
  })

  it.each([
    ['*', 'https://r.example/'],
    ['r.example', 'https://r.example/'],
    ['a, R.Example ,b', 'https://r.example/'],
    ['example', 'https://r.example/'],
    ['.example', 'https://r.example/'],
    ['*.example', 'https://r.example/'],
    ['r.example:443', 'https://r.example/'],
    ['r.example:5000', 'https://r.example:5000/'],
    ['10.0.0.0/8', 'https://10.1.2.3/'],
    ['10.1.2.3', 'https://10.1.2.3:5000/'],
    ['fd00::/8', 'https://[fd00::1]/'],
    ['fd00::1', 'https://[fd00::1]/'],
    ['', 'https://localhost:5000/'],
    ['', 'https://127.0.0.2/'],
    ['', 'https://[::1]/'],
  ])('goes direct with NO_PROXY=%s to %s', (noProxy, url) => {
    expect(proxyFor(new URL(url), { HTTPS_PROXY: PROXY, NO_PROXY: noProxy })).toBeUndefined()
  })

  it.each([
    ['ample', 'https://r.example/'],
    ['x.r.example', 'https://r.example/'],
    ['r.example:5000', 'https://r.example/'],
    ['10.0.0.0/8', 'https://11.1.2.3/'],
    ['10.0.0.0/99', 'https://10.1.2.3/'],
    ['/8', 'https://10.1.2.3/'],
    [' , ,', 'https://r.example/'],
    ['', 'https://localhost.example/'],
  ])('goes through the proxy with NO_PROXY=%s to %s', (noProxy, url) => {
    expect(proxyFor(new URL(url), { HTTPS_PROXY: PROXY, NO_PROXY: noProxy })?.host).toBe(
      'proxy:3128',
    )
  })
})

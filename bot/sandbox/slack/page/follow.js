/**
 * Keeps the end of a growing list in sight while the reader is there.
 */

const NEAR_END_PX = 60;

/**
 * @param {HTMLElement} scroller
 * @param {HTMLElement} list its growing content
 * @param {(atEnd: boolean) => void} [onMove] told whenever the reader comes to the end or leaves it
 */
export function followEnd(scroller, list, onMove) {
  let following = true;
  const toEnd = () => {
    following = true;
    scroller.scrollTop = scroller.scrollHeight;
    onMove?.(true);
  };
  let before = 0;
  scroller.addEventListener("scroll", () => {
    const nearEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PX;
    // Content may grow between a move of ours and its event: only a move upwards is the reader's.
    if (nearEnd) following = true;
    else if (scroller.scrollTop < before) following = false;
    before = scroller.scrollTop;
    onMove?.(following);
  });
  const growth = new ResizeObserver(() => following && toEnd());
  growth.observe(scroller);
  growth.observe(list);
  return { toEnd, isFollowing: () => following };
}

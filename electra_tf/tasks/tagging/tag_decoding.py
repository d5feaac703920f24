"""From the probability of each tag at each word to the likeliest tags that make well-formed spans (Viterbi)."""

import numpy as np

from electra_tf.tasks.tagging.tag_schemes import can_follow


class TagDecoder:
    """Finds the likeliest sequence of tags in which every tag may follow the one before.

    Args:
        labels: the tags, in the order of the model's outputs.
        scheme: "IOB1", "IOB2", "BIOES" or "plain".

    >>> TagDecoder(("O", "B-PER", "I-PER"), "IOB2")(np.log([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]))   # [1, 2]
    """

    def __init__(self, labels, scheme):
        def allowed(before, after):
            return np.array([[can_follow(left, right, scheme) for right in after] for left in before])
        self._starts, self._ends = allowed([None], labels)[0], allowed(labels, [None])[:, 0]
        self._steps = allowed(labels, labels)  # [tag, the tag after it]
        self._penalties = np.where(self._steps, 0.0, -np.inf)

    def __call__(self, log_probabilities):
        """
        Args:
            log_probabilities: float [words, tags], finite.

        Returns:
            int array [words]. Where no sequence is allowed at all (a model without the tag O), the likeliest tags.
        """
        scores = np.array(log_probabilities, np.float64)
        likeliest = scores.argmax(axis=1)
        if self._is_allowed(likeliest):
            return likeliest
        scores[0] += np.where(self._starts, 0.0, -np.inf)
        scores[-1] += np.where(self._ends, 0.0, -np.inf)
        best, came_from = scores[0], []
        for row in scores[1:]:
            ways = best[:, None] + self._penalties  # [tag before, tag]
            came_from.append(ways.argmax(axis=0))
            best = ways.max(axis=0) + row
        if not np.isfinite(best).any():
            return likeliest
        path = [best.argmax()]
        for before in reversed(came_from):
            path.append(before[path[-1]])
        return np.array(path[::-1])

    def _is_allowed(self, tags):
        """Whether tags may stand so; then the likeliest tags are also the likeliest sequence."""
        return not len(tags) or bool(
            self._starts[tags[0]] and self._ends[tags[-1]] and self._steps[tags[:-1], tags[1:]].all())

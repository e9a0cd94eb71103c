namespace EventBus;

/// <summary>Finds the names that a misspelt name may stand for.</summary>
internal static class NearNames
{
    /// <summary>
    /// Returns the names that differ from the given one in one character, or in at most a third of its characters, the
    /// nearest first. Case does not matter; two swapped neighbours count as one difference.
    /// </summary>
    public static IEnumerable<string> Of(string name, IEnumerable<string> names) => names
        .Select(other => (Name: other, Distance: Distance(name.ToUpperInvariant(), other.ToUpperInvariant())))
        .Where(candidate => candidate.Distance <= Math.Max(1, name.Length / 3))
        .OrderBy(candidate => candidate.Distance)
        .Select(candidate => candidate.Name);

    /// <summary>Returns true if two names differ in at most one character. Case does not matter.</summary>
    public static bool IsOneApart(string name, string other) => Distance(name.ToUpperInvariant(), other.ToUpperInvariant()) <= 1;

    /// <summary>
    /// Counts the insertions, deletions, replacements and swaps that lead from one text to the other (the optimal
    /// string alignment distance).
    /// </summary>
    private static int Distance(string from, string to)
    {
        // Each entry is the distance between the first i characters of one text and the first j of the other.
        var distances = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
        {
            for (var j = 0; j <= to.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    distances[i, j] = i + j;
                    continue;
                }

                var insertOrDelete = Math.Min(distances[i - 1, j], distances[i, j - 1]) + 1;
                var replaceOrKeep = distances[i - 1, j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                distances[i, j] = Math.Min(insertOrDelete, replaceOrKeep);
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                {
                    distances[i, j] = Math.Min(distances[i, j], distances[i - 2, j - 2] + 1);
                }
            }
        }

        return distances[from.Length, to.Length];
    }
}

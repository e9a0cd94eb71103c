namespace EventBus.Proof;

/// <summary>The events of each key are handled one at a time, and none before all earlier ones have been.</summary>
internal static class OrderCheck
{
    /// <param name="findings">Where the findings go.</param>
    /// <param name="entries">What the handlers wrote down: the key first, then the number within it, from 1.</param>
    /// <param name="keys">How many keys.</param>
    /// <param name="length">How many events each key has.</param>
    /// <param name="mayRepeat">
    /// A process may begin a key again at an earlier event, because what the one before it had not acknowledged came
    /// once more, in order.
    /// </param>
    public static void Run(Findings findings, IReadOnlyList<Entry> entries, int keys, int length, bool mayRepeat)
    {
        var states = Enumerable.Range(0, keys).Select(_ => new KeyState()).ToArray();
        var violations = new List<string>();
        var (starts, ends, throws) = (0L, 0L, 0L);
        foreach (var entry in entries.Where(entry => entry.Kind is Kind.Start or Kind.End or Kind.Throw).OrderBy(entry => entry.At))
        {
            switch (entry.Kind)
            {
                case Kind.Start:
                    starts++;
                    if (states[entry.A].Start(entry, mayRepeat) is { } violation)
                    {
                        violations.Add($"key {entry.A} {violation}");
                    }

                    break;
                case Kind.End:
                    ends++;
                    states[entry.A].End(entry, true);
                    break;
                default:
                    throws++;
                    states[entry.A].End(entry, false);
                    break;
            }
        }

        findings.Note("handled", states.Sum(state => state.Done));
        findings.Note("failed starts", throws);
        findings.Note("duplicate deliveries", ends - states.Sum(state => state.Done));
        findings.None("order violations", violations);
        findings.None(
            "stuck keys",
            Enumerable.Range(0, keys).Where(key => states[key].Done < length).Select(key => $"{key} after {states[key].Done}"));
    }

    private sealed class KeyState
    {
        private readonly Dictionary<int, long> running = [];
        private int process = -1;
        private long started;

        /// <summary>The highest number up to which all were handled.</summary>
        public long Done { get; private set; }

        public string? Start(Entry entry, bool mayRepeat)
        {
            var found = entry.B > Done + 1 ? $"started {entry.B} before {Done + 1} was handled"
                : running.TryGetValue(entry.Process, out var other) ? $"started {entry.B} during {other}"
                : entry.B < started && !(mayRepeat && entry.Process != process) ? $"started {entry.B} after {started}"
                : null;
            running[entry.Process] = entry.B;
            (process, started) = (entry.Process, entry.B);
            return found;
        }

        public void End(Entry entry, bool handled)
        {
            running.Remove(entry.Process);
            if (handled && entry.B == Done + 1)
            {
                Done++;
            }
        }
    }
}

using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Reports what trimming has found, in the log and the health check: streams that cannot be trimmed or that no group
/// reads, and groups that prevent trimming or that nothing uses.
/// </summary>
internal sealed class RedisTrimReport(RedisTopology names, RedisOptions options, ILogger log)
{
    // The maximum number of streams or groups that one text of the health check names.
    private const int MaxReported = 3;

    // The results of the last round. Written by one loop and read by other threads.
    private volatile RedisTrimResults lastResults = new();

    // The streams and groups that were logged. Each is logged once, and again if the condition ended in between.
    private readonly HashSet<string> loggedStreams = [];
    private readonly HashSet<(string Stream, string Group)> loggedGroups = [];

    /// <summary>
    /// The data of the health check about streams and groups that are not used, by the name of stream or group.
    /// </summary>
    public IReadOnlyDictionary<string, object> Data => lastResults.UnreadStreams
        .Select(each => KeyValuePair.Create<string, object>(
            each.Key,
            $"No consumer group reads this stream. It has {each.Value.Length} events, of which at most {options.MaxUnreadLength} are "
                + $"kept; {each.Value.CutOff} older ones were deleted recently."))
        .Concat(lastResults.InactiveGroups.Select(each => KeyValuePair.Create<string, object>(
            $"{each.Stream} {each.Group}",
            $"No instance reads this consumer group at present. If it is no longer used: {names.RemovalOf(each.Group, each.Stream)}.")))
        .ToDictionary();

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem
    {
        get
        {
            var results = lastResults;
            if (results.Failures.Count > 0)
            {
                var failures = results.Failures.Take(MaxReported);
                return string.Join(" ", failures.Select(each => $"The stream '{each.Key}' cannot be trimmed: {each.Value}"));
            }

            if (results.GroupProblems.Count == 0)
            {
                return UnreadProblem;
            }

            var groups = results.GroupProblems.OrderBy(each => each.Key).Take(MaxReported);
            return string.Join(" ", groups.Select(each => ProblemOf(each.Key.Stream, each.Key.Group, each.Value)));
        }
    }

    private string? UnreadProblem => lastResults.UnreadStreams.Where(each => each.Value.CutOff > 0)
        .Select(each => $"No consumer group reads the stream '{each.Key}': only its latest {options.MaxUnreadLength} events are kept "
            + $"({nameof(RedisOptions)}.{nameof(options.MaxUnreadLength)}), and {each.Value.CutOff} older ones were deleted recently. "
            + "Subscribe to these events, or stop publishing them.")
        .FirstOrDefault();

    /// <summary>Logs that a stream cannot be trimmed.</summary>
    public void LogFailure(string stream, Exception exception) =>
        log.Failing(TrimmingOf(stream), exception, logger => logger.CannotTrim(stream, options.TrimPeriod, exception));

    /// <summary>Takes the results of a round, and logs what has changed since the previous one.</summary>
    public void Update(RedisTrimResults results)
    {
        LogChanges(lastResults, results);
        lastResults = results;
    }

    private static string TrimmingOf(string stream) => $"trimming of {stream}";

    private string ProblemOf(string stream, string group, long lostEvents) => lostEvents > 0
        ? $"The stream '{stream}' exceeded its maximum length: {lostEvents} events were deleted that the consumer group '{group}' had not "
            + $"read. Handle them faster, or raise {nameof(RedisOptions)}.{nameof(options.MaxLength)}."
        : $"The consumer group '{group}' of the stream '{stream}' has not read its events for more than {options.IdleGroupAfter}, so the "
            + $"stream cannot be trimmed. Start an instance that uses the group, or remove it: {names.RemovalOf(group, stream)}.";

    private void LogChanges(RedisTrimResults before, RedisTrimResults now)
    {
        foreach (var stream in before.Failures.Keys.Where(stream => !now.Failures.ContainsKey(stream)))
        {
            log.Working(TrimmingOf(stream));
        }

        foreach (var ((stream, group), lostEvents) in now.GroupProblems)
        {
            if (lostEvents > 0)
            {
                log.LostToMaxLength(group, lostEvents, stream);
            }
            else if (!before.GroupProblems.TryGetValue((stream, group), out var lostBefore) || lostBefore > 0)
            {
                log.GroupIdle(group, stream, options.IdleGroupAfter, names.RemovalOf(group, stream));
            }
        }

        // A stream or group that is not used is logged when a second round finds it, because during a deployment a
        // single round may find one. A stream from which entries were cut off is logged at once.
        loggedStreams.RemoveWhere(stream => !now.UnreadStreams.ContainsKey(stream));
        foreach (var (stream, (_, cutOff)) in now.UnreadStreams)
        {
            if ((cutOff > 0 || before.UnreadStreams.ContainsKey(stream)) && loggedStreams.Add(stream))
            {
                log.StreamUnread(stream, options.MaxUnreadLength.GetValueOrDefault());
            }
        }

        loggedGroups.RemoveWhere(each => !now.InactiveGroups.Contains(each));
        foreach (var (stream, group) in now.InactiveGroups)
        {
            if (names.IsLeftBehind(group) && before.InactiveGroups.Contains((stream, group)) && loggedGroups.Add((stream, group)))
            {
                log.GroupLeftBehind(group, stream, names.RemovalOf(group, stream));
            }
        }
    }
}

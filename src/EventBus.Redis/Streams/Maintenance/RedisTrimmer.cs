using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Removes entries from the streams after every group has handled them, and reports groups that prevent this. One
/// instance at a time trims a stream; each instance reports the groups of all streams.
/// </summary>
/// <remarks>
/// A stream that no group reads keeps its latest entries (<see cref="RedisOptions.MaxUnreadLength"/>). A group that is
/// idle, or that was destroyed and not retired, still keeps its entries, unless <see cref="RedisOptions.MaxLength"/> is
/// set.
/// </remarks>
/// <param name="catalog">The catalog of the streams.</param>
/// <param name="publisher">
/// The publisher of this process. The streams to which it has written are added again if the catalog was deleted.
/// </param>
/// <param name="names">The names, and the clock.</param>
/// <param name="options">The settings.</param>
/// <param name="log">The log for warnings.</param>
internal sealed class RedisTrimmer(
    RedisStreamCatalog catalog, RedisPublisher publisher, RedisTopology names, RedisOptions options, ILogger log)
{
    // The multiple of ClaimAfter after which a consumer counts as inactive. An active consumer reads every second.
    private const int InactiveAfter = 10;

    // The health check reports entries that were cut off from a stream that no group reads, for 10 minutes and for at
    // least this number of rounds.
    private const int MinCutOffRounds = 3;

    private static readonly TimeSpan MinCutOffPeriod = TimeSpan.FromMinutes(10);

    // The maximum number of streams or groups that one text of the health check names.
    private const int MaxReported = 3;

    // Identifies this instance in the locks of the streams.
    private readonly string trimmerId = RedisTopology.NewConsumer();

    // The results of the last round. Written by one loop and read by other threads.
    private volatile Results lastResults = new();

    // The streams and groups that were logged. Each is logged once, and again if the condition ended in between.
    private readonly HashSet<string> loggedStreams = [];
    private readonly HashSet<(string Stream, string Group)> loggedGroups = [];
    private bool isRefusalLogged;

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

    // The time for which the number of entries that were cut off is kept after the last ones.
    private TimeSpan CutOffPeriod
    {
        get
        {
            var rounds = options.TrimPeriod * MinCutOffRounds;
            return rounds > MinCutOffPeriod ? rounds : MinCutOffPeriod;
        }
    }

    private string? UnreadProblem => lastResults.UnreadStreams.Where(each => each.Value.CutOff > 0)
        .Select(each => $"No consumer group reads the stream '{each.Key}': only its latest {options.MaxUnreadLength} events are kept "
            + $"({nameof(RedisOptions)}.{nameof(options.MaxUnreadLength)}), and {each.Value.CutOff} older ones were deleted recently. "
            + "Subscribe to these events, or stop publishing them.")
        .FirstOrDefault();

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

    private string ProblemOf(string stream, string group, long lostEvents) => lostEvents > 0
        ? $"The stream '{stream}' exceeded its maximum length: {lostEvents} events were deleted that the consumer group '{group}' had not "
            + $"read. Handle them faster, or raise {nameof(RedisOptions)}.{nameof(options.MaxLength)}."
        : $"The consumer group '{group}' of the stream '{stream}' has not read its events for more than {options.IdleGroupAfter}, so the "
            + $"stream cannot be trimmed. Start an instance that uses the group, or remove it: {names.RemovalOf(group, stream)}.";

    public Task RunAsync(CancellationToken stop)
    {
        var supervisor = new SupervisedLoop(
            "trimming",
            names.Time,
            log,
            (logger, _, error) => logger.CannotTrimAny(options.TrimPeriod, error))
        {
            FirstDelay = options.TrimPeriod,
            MaxDelay = options.TrimPeriod,

            // The health check and the receivers report an outage; trimming can wait.
            IsReportedElsewhere = RedisErrors.IsOutage,
        };
        return supervisor.RepeatAsync(RunRoundAsync, options.TrimPeriod, stop);
    }

    private static string TrimmingOf(string stream) => $"trimming of {stream}";

    private async Task RunRoundAsync(CancellationToken stop)
    {
        try
        {
            await TrimAllAsync(stop);
        }
        catch (RedisServerException exception) when (RedisErrors.IsDenied(exception))
        {
            // A publisher may lack this right: the services that subscribe trim the streams to which it writes.
            if (!isRefusalLogged)
            {
                isRefusalLogged = true;
                log.NotChecked("whether streams must be trimmed; a stream that no group reads is kept within "
                    + $"{nameof(RedisOptions)}.{nameof(options.MaxUnreadLength)} by an instance that has the right", "SMEMBERS");
            }
        }
    }

    private async Task TrimAllAsync(CancellationToken stop)
    {
        var results = new Results();
        await catalog.AddAsync(publisher.Streams).WaitAsync(RedisConnector.CommandTimeout, names.Time, stop);
        var known = await catalog.KnownStreamsAsync().WaitAsync(RedisConnector.CommandTimeout, names.Time, stop);
        foreach (var stream in known.Union(publisher.Streams))
        {
            try
            {
                // A stream that is long or still grows gets at most the time of one round; the next round continues.
                var begunAt = names.Time.GetTimestamp();
                bool hasMore;
                do
                {
                    hasMore = await TrimAsync(stream, results, stop);
                }
                while (hasMore && names.Time.GetElapsedTime(begunAt) < options.TrimPeriod);
            }
            catch (Exception exception) when (exception is not (RedisConnectionException or TimeoutException or OperationCanceledException))
            {
                // The other streams are still trimmed.
                results.Failures[stream!] = exception.Message;
                log.Failing(TrimmingOf(stream!), exception, logger => logger.CannotTrim(stream!, options.TrimPeriod, exception));
            }
        }

        LogChanges(lastResults, results);
        lastResults = results;
    }

    private void LogChanges(Results before, Results now)
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

    /// <summary>Inspects one stream, and trims it once.</summary>
    /// <returns>True if there may be more to trim.</returns>
    private async Task<bool> TrimAsync(RedisKey stream, Results results, CancellationToken stop)
    {
        RedisKey[] keys = [stream, names.TrimmerOf(stream), names.PositionsOf(stream), names.OpenGroups, names.CutOf(stream)];
        RedisValue[] values = [
            trimmerId,
            (long)options.TrimPeriod.TotalMilliseconds,
            (long)options.IdleGroupAfter.TotalMilliseconds,
            options.Trim ? 1 : 0,
            options.MaxLength ?? 0,
            options.MaxUnreadLength ?? 0,
            (long)(options.ClaimAfter * InactiveAfter).TotalMilliseconds,
            (long)CutOffPeriod.TotalMilliseconds,
        ];
        var answer = await catalog.Database.ScriptEvaluateAsync(RedisTrimScript.Text, keys, values)
            .WaitAsync(RedisConnector.CommandTimeout, names.Time, stop);
        var idleGroups = (string[])answer[0]!;
        var lostByGroup = (RedisValue[])answer[1]!;
        var hasMore = (long)answer[2] == 1;
        var inactiveGroups = (string[])answer[3]!;
        var unreadState = answer[4];
        foreach (var group in idleGroups)
        {
            results.GroupProblems.TryAdd((stream!, group), 0);
        }

        for (var i = 0; i < lostByGroup.Length; i += 2)
        {
            var key = ((string)stream!, (string)lostByGroup[i]!);
            results.GroupProblems[key] = results.GroupProblems.GetValueOrDefault(key) + (long)lostByGroup[i + 1];
        }

        foreach (var group in inactiveGroups.Where(group => !names.IsUsed(group)))
        {
            results.InactiveGroups.Add((stream!, group));
        }

        if (unreadState.Length == 2 && (long)unreadState[0] > 0 && !names.IsOwn(stream))
        {
            results.UnreadStreams[stream!] = ((long)unreadState[0], (long)unreadState[1]);
        }

        return hasMore;
    }

    /// <summary>Holds the results of one round.</summary>
    private sealed class Results
    {
        /// <summary>The streams that could not be trimmed, each with the error.</summary>
        public Dictionary<string, string> Failures { get; } = new(StringComparer.Ordinal);

        /// <summary>
        /// The groups with a problem, each with the number of events that were deleted before the group had read them:
        /// 0 for a group that is only idle.
        /// </summary>
        public Dictionary<(string Stream, string Group), long> GroupProblems { get; } = [];

        /// <summary>
        /// The streams that no group reads, each with the number of entries that were cut off recently for that reason.
        /// </summary>
        public Dictionary<string, (long Length, long CutOff)> UnreadStreams { get; } = new(StringComparer.Ordinal);

        /// <summary>The groups without an active consumer that this instance does not use.</summary>
        public HashSet<(string Stream, string Group)> InactiveGroups { get; } = [];
    }
}

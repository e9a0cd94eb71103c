using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Removes entries from the streams after every group has handled them, and watches for groups that prevent this. One
/// instance at a time trims a stream; each instance watches all of them.
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
    // The multiple of ClaimAfter after which a consumer counts as gone. An active consumer reads every second.
    private const int GoneAfter = 10;

    // The health check reports entries cut off from a stream that no group reads for 10 minutes, and for at least this
    // number of rounds.
    private const int CutRounds = 3;

    private static readonly TimeSpan CutMemory = TimeSpan.FromMinutes(10);

    // The maximum number of streams or groups that one text of the health check names.
    private const int MaxReported = 3;

    private readonly string self = RedisTopology.NewConsumer();
    private volatile IReadOnlyDictionary<(string Stream, string Group), Finding> findings = new Dictionary<(string, string), Finding>();

    // The results of the last round, which are written by one loop and read by other threads.
    private volatile IReadOnlyDictionary<string, string> failures = new Dictionary<string, string>();
    private volatile IReadOnlyDictionary<string, (long Length, long Cut)> unread = new Dictionary<string, (long, long)>();
    private volatile IReadOnlyCollection<(string Stream, string Group)> gone = [];

    // The findings that were logged. Each is logged once, and again if the condition ended in between. A group without
    // a subscription is logged only when two rounds find it, because during a deployment a single round may find it.
    private readonly HashSet<(string Stream, string Group)> logged = [];
    private bool isRefused;

    /// <summary>
    /// The data of the health check about streams and groups that are not used, by the name of stream or group.
    /// </summary>
    public IReadOnlyDictionary<string, object> Data => unread
        .Select(each => KeyValuePair.Create<string, object>(
            each.Key,
            $"No consumer group reads this stream. It has {each.Value.Length} events, of which at most {options.MaxUnreadLength} are "
                + $"kept; {each.Value.Cut} were cut off lately."))
        .Concat(gone.Select(each => KeyValuePair.Create<string, object>(
            $"{each.Stream} {each.Group}",
            $"No instance reads this consumer group at present. If it is no longer used: {names.RemovalOf(each.Group, each.Stream)}.")))
        .ToDictionary();

    private TimeSpan CutFor
    {
        get
        {
            var rounds = options.TrimPeriod * CutRounds;
            return rounds > CutMemory ? rounds : CutMemory;
        }
    }

    private string? UnreadProblem => unread.Where(each => each.Value.Cut > 0)
        .Select(each => $"No consumer group reads the stream '{each.Key}', and {each.Value.Cut} of its events were cut off lately beyond "
            + $"{options.MaxUnreadLength} ({nameof(RedisOptions)}.{nameof(options.MaxUnreadLength)}). Subscribe to them, or stop "
            + "publishing them.")
        .FirstOrDefault();

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem
    {
        get
        {
            if (failures.Count > 0)
            {
                var failed = failures.Take(MaxReported).Select(each => $"The stream '{each.Key}' cannot be trimmed: {each.Value}");
                return string.Join(" ", failed);
            }

            if (findings.Count == 0)
            {
                return UnreadProblem;
            }

            var found = findings.OrderBy(each => each.Key).Take(MaxReported);
            return string.Join(" ", found.Select(each => ProblemOf(each.Key.Stream, each.Key.Group, each.Value)));
        }
    }

    private string ProblemOf(string stream, string group, Finding finding) => finding.Lost > 0
        ? $"The maximum length of the stream '{stream}' cost the consumer group '{group}' {finding.Lost} events. Handle them faster, or "
            + $"raise {nameof(RedisOptions)}.{nameof(options.MaxLength)}."
        : $"The consumer group '{group}' of the stream '{stream}' has not read its events for more than {options.IdleGroupAfter} and "
            + $"holds up the trimming. Start an instance that uses it, or remove it: {names.RemovalOf(group, stream)}.";

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
        return supervisor.RepeatAsync(PassAsync, options.TrimPeriod, stop);
    }

    private static string TrimmingOf(string stream) => $"trimming of {stream}";

    private async Task PassAsync(CancellationToken stop)
    {
        try
        {
            await TrimAllAsync(stop);
        }
        catch (RedisServerException exception) when (RedisErrors.IsDenied(exception))
        {
            // A publisher may lack this right: the services that subscribe trim the streams to which it writes.
            if (!isRefused)
            {
                isRefused = true;
                log.NotChecked("whether streams must be trimmed; a stream that no group reads is kept within "
                    + $"{nameof(RedisOptions)}.{nameof(options.MaxUnreadLength)} by an instance that has the right", "SMEMBERS");
            }
        }
    }

    private async Task TrimAllAsync(CancellationToken stop)
    {
        var found = new Dictionary<(string Stream, string Group), Finding>();
        var failed = new Dictionary<string, string>(StringComparer.Ordinal);
        var (unreadNow, goneNow) = (new Dictionary<string, (long, long)>(StringComparer.Ordinal), new HashSet<(string, string)>());
        await catalog.AddAsync(publisher.Streams).WaitAsync(RedisConnector.Answer, names.Time, stop);
        var known = await catalog.KnownStreamsAsync().WaitAsync(RedisConnector.Answer, names.Time, stop);
        foreach (var stream in known.Union(publisher.Streams))
        {
            try
            {
                // A stream that is long or still grows gets at most the time of one round; the next round continues.
                var begunAt = names.Time.GetTimestamp();
                bool hasMore;
                do
                {
                    hasMore = await TrimAsync(stream, found, unreadNow, goneNow, stop);
                }
                while (hasMore && names.Time.GetElapsedTime(begunAt) < options.TrimPeriod);
            }
            catch (Exception exception) when (exception is not (RedisConnectionException or TimeoutException or OperationCanceledException))
            {
                // The other streams are still trimmed.
                failed[stream!] = exception.Message;
                log.Failing(TrimmingOf(stream!), exception, logger => logger.CannotTrim(stream!, options.TrimPeriod, exception));
            }
        }

        foreach (var stream in failures.Keys.Where(stream => !failed.ContainsKey(stream)))
        {
            log.Working(TrimmingOf(stream));
        }

        failures = failed;
        foreach (var ((stream, group), finding) in found)
        {
            if (finding.Lost > 0)
            {
                log.LostToMaxLength(group, finding.Lost, stream);
            }
            else if (!findings.TryGetValue((stream, group), out var before) || before.Lost > 0)
            {
                log.GroupIdle(group, stream, options.IdleGroupAfter, names.RemovalOf(group, stream));
            }
        }

        findings = found;
        Report(unreadNow, goneNow);
        (unread, gone) = (unreadNow, goneNow);
    }

    private void Report(Dictionary<string, (long Length, long Cut)> unreadNow, HashSet<(string Stream, string Group)> goneNow)
    {
        logged.RemoveWhere(each => each.Group.Length == 0 ? !unreadNow.ContainsKey(each.Stream) : !goneNow.Contains(each));
        foreach (var (stream, (_, cut)) in unreadNow.Where(each => each.Value.Cut > 0 || unread.ContainsKey(each.Key)))
        {
            if (logged.Add((stream, "")))
            {
                log.StreamUnread(stream, options.MaxUnreadLength.GetValueOrDefault());
            }
        }

        foreach (var (stream, group) in goneNow.Where(each => names.IsLeftBehind(each.Group) && gone.Contains(each)))
        {
            if (logged.Add((stream, group)))
            {
                log.GroupLeftBehind(group, stream, names.RemovalOf(group, stream));
            }
        }
    }

    /// <summary>Inspects one stream, and trims it once.</summary>
    /// <returns>True if there may be more to trim.</returns>
    private async Task<bool> TrimAsync(
        RedisKey stream,
        Dictionary<(string Stream, string Group), Finding> found,
        Dictionary<string, (long Length, long Cut)> unreadNow,
        HashSet<(string Stream, string Group)> goneNow,
        CancellationToken stop)
    {
        RedisKey[] keys = [stream, names.TrimmerOf(stream), names.PositionsOf(stream), names.OpenGroups, names.CutOf(stream)];
        RedisValue[] values = [
            self,
            (long)options.TrimPeriod.TotalMilliseconds,
            (long)options.IdleGroupAfter.TotalMilliseconds,
            options.Trim ? 1 : 0,
            options.MaxLength ?? 0,
            options.MaxUnreadLength ?? 0,
            (long)(options.ClaimAfter * GoneAfter).TotalMilliseconds,
            (long)CutFor.TotalMilliseconds
        ];
        // The places of the answer: 0 idle groups, 1 lost events, 2 if there is more, 3 inactive groups, 4 unread
        // stream.
        var answer = await catalog.Database.ScriptEvaluateAsync(RedisTrimScript.Text, keys, values)
            .WaitAsync(RedisConnector.Answer, names.Time, stop);
        foreach (var group in (string[])answer[0]!)
        {
            found.TryAdd((stream!, group), new Finding(0));
        }

        var lost = (RedisValue[])answer[1]!;
        for (var i = 0; i < lost.Length; i += 2)
        {
            var key = ((string)stream!, (string)lost[i]!);
            found[key] = new Finding(found.GetValueOrDefault(key, new Finding(0)).Lost + (long)lost[i + 1]);
        }

        foreach (var group in ((string[])answer[3]!).Where(group => !names.IsUsed(group)))
        {
            goneNow.Add((stream!, group));
        }

        if (answer[4].Length == 2 && (long)answer[4][0] > 0 && !names.IsOwn(stream))
        {
            unreadNow[stream!] = ((long)answer[4][0], (long)answer[4][1]);
        }

        return (long)answer[2] == 1;
    }

    /// <summary>A group that is idle, or that has lost events.</summary>
    /// <param name="Lost">
    /// The number of events that were cut off before the group had read them; 0 for a group that is only idle.
    /// </param>
    private sealed record Finding(long Lost);
}

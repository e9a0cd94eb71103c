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

    // Identifies this instance in the locks of the streams.
    private readonly string trimmerId = RedisTopology.NewConsumer();

    private readonly RedisTrimReport report = new(names, options, log);
    private bool isRefusalLogged;

    /// <inheritdoc cref="RedisTrimReport.Data"/>
    public IReadOnlyDictionary<string, object> Data => report.Data;

    /// <inheritdoc cref="RedisTrimReport.Problem"/>
    public string? Problem => report.Problem;

    // The time for which the number of entries that were cut off is kept after the last ones.
    private TimeSpan CutOffPeriod
    {
        get
        {
            var rounds = options.TrimPeriod * MinCutOffRounds;
            return rounds > MinCutOffPeriod ? rounds : MinCutOffPeriod;
        }
    }

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
        var results = new RedisTrimResults();
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
                report.LogFailure(stream!, exception);
            }
        }

        report.Update(results);
    }

    /// <summary>Inspects one stream, and trims it once.</summary>
    /// <returns>True if there may be more to trim.</returns>
    private async Task<bool> TrimAsync(RedisKey stream, RedisTrimResults results, CancellationToken stop)
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
}

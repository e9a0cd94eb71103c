using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Cuts off the streams what every group has handled, and watches for groups that hold that up. One instance at a time trims a stream; each watches for itself.</summary>
/// <remarks>
/// A stream without any group keeps its entries, unless a maximum length is set: whoever subscribes from the beginning may still want them. A group that is idle, or was destroyed and not retired, still holds
/// its entries: nothing is lost without being asked.
/// </remarks>
internal sealed class RedisTrimmer(IDatabase database, RedisDirectory directory, RedisTopology names, RedisOptions options, ILogger log)
{
    private readonly string self = RedisTopology.NewConsumer();
    private volatile IReadOnlyDictionary<(string Stream, string Group), Finding> findings = new Dictionary<(string, string), Finding>();

    // Kept by the one loop, and read by others.
    private volatile IReadOnlyDictionary<string, string> failures = new Dictionary<string, string>();

    /// <summary>What people should look at; null when there is nothing.</summary>
    public string? Complaint => failures.Count > 0 ? string.Join(" ", failures.Take(3).Select(each => $"The stream '{each.Key}' cannot be trimmed: {each.Value}")) : findings.Count == 0 ? null : string.Join(" ", findings.OrderBy(each => each.Key).Take(3).Select(each => each.Value switch
    {
        { Lost: > 0 and var lost } => $"The maximum length of the stream '{each.Key.Stream}' cost the consumer group '{each.Key.Group}' {lost} events. Handle them faster, or raise {nameof(RedisOptions)}.{nameof(options.MaxLength)}.",
        _ => $"The consumer group '{each.Key.Group}' of the stream '{each.Key.Stream}' has left events alone for more than {options.IdleGroupAfter} and holds up the trimming. Start an instance that uses it, or remove it: {names.RemovalOf(each.Key.Group, each.Key.Stream)}.",
    }));

    public async Task RunAsync(CancellationToken stop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await PassAsync(stop);
            }
            catch (Exception)
            {
                // Health and the receivers speak of an outage; there is no hurry here.
            }

            await Task.Delay(options.TrimPeriod, names.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static string TrimmingOf(string stream) => $"trimming of {stream}";

    private async Task PassAsync(CancellationToken stop)
    {
        var found = new Dictionary<(string Stream, string Group), Finding>();
        var failed = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var stream in await directory.KnownAsync().WaitAsync(RedisConnector.Answer, names.Time, stop))
        {
            try
            {
                // A stream that is long or still grows gets no more than the time of a round; the next goes on.
                var begunAt = names.Time.GetTimestamp();
                while (await TrimAsync(stream, found, stop) && names.Time.GetElapsedTime(begunAt) < options.TrimPeriod)
                {
                }
            }
            catch (Exception exception) when (exception is not (RedisConnectionException or TimeoutException or OperationCanceledException))
            {
                // The others are trimmed all the same.
                failed[stream!] = exception.Message;
                log.Failing(TrimmingOf(stream!), exception, full => full.CannotTrim(stream!, options.TrimPeriod, exception));
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
    }

    /// <returns>Whether there may be more to cut off.</returns>
    private async Task<bool> TrimAsync(RedisKey stream, Dictionary<(string Stream, string Group), Finding> found, CancellationToken stop)
    {
        RedisKey[] keys = [stream, names.TrimmerOf(stream), names.PlacesOf(stream), names.OpenGroups];
        RedisValue[] values = [self, (long)options.TrimPeriod.TotalMilliseconds, (long)options.IdleGroupAfter.TotalMilliseconds, options.Trim ? 1 : 0, options.MaxLength ?? 0];
        var answer = await database.ScriptEvaluateAsync(RedisTrimScript.Text, keys, values).WaitAsync(RedisConnector.Answer, names.Time, stop);
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

        return (long)answer[2] == 1;
    }

    /// <param name="Lost">How many events were cut off before the group had read them; 0 for a group that is only idle.</param>
    private sealed record Finding(long Lost);
}

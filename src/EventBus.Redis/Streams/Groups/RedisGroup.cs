using System.Collections.Concurrent;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Runs the commands of one consumer of one consumer group, and has the list of the streams that it reads. Thread-safe;
/// every failure is thrown.
/// </summary>
/// <param name="database">The shared connection.</param>
/// <param name="group">The name of the group.</param>
/// <param name="consumer">The name of the consumer.</param>
/// <param name="initialStreams">The streams that are read from the start.</param>
/// <param name="answerTimeout">The timeout of an acknowledgement (<see cref="RedisConnector.AnswerTimeout"/>).</param>
internal sealed class RedisGroup(IDatabase database, string group, string consumer, RedisKey[] initialStreams, TimeSpan answerTimeout)
{
    /// <summary>
    /// The position before the first entry of a stream. Also the first cursor of XAUTOCLAIM, and the one with which it
    /// ends.
    /// </summary>
    public static readonly RedisValue Start = "0-0";

    /// <summary>The position after the last entry that a stream has now.</summary>
    public static readonly RedisValue End = "$";

    // Replaced as a whole, without a lock. Of two concurrent additions one may be lost; RedisStreamDiscovery adds that
    // stream again.
    private volatile RedisKey[] streams = initialStreams;

    // The arguments of the last read. Only one loop reads.
    private ReadArguments? lastArguments;

    // The last entry of each stream that this instance has read.
    private readonly ConcurrentDictionary<RedisKey, RedisStreamId> lastRead = new();

    public IDatabase Database => database;

    public string Name => group;

    public string Consumer => consumer;

    public IReadOnlyList<RedisKey> Streams => streams;

    /// <summary>Adds streams to the following reads.</summary>
    public void Add(IEnumerable<RedisKey> more) => streams = [.. streams, .. more.Except(streams)];

    /// <summary>Removes a stream from the following reads.</summary>
    public void Remove(RedisKey stream) => streams = [.. streams.Where(each => each != stream)];

    /// <summary>Gets the last entry of a stream that this instance has read; null if there is none.</summary>
    public RedisStreamId? LastRead(RedisKey stream) => lastRead.TryGetValue(stream, out var id) ? id : null;

    /// <summary>Records that this instance has read an entry.</summary>
    public void RecordRead(RedisKey stream, RedisValue id)
    {
        if (RedisStreamId.TryParse(id, out var read))
        {
            lastRead.AddOrUpdate(stream, read, (_, before) => read > before ? read : before);
        }
    }

    /// <summary>Forgets the last entry that was read, because Redis has lost it.</summary>
    public void ForgetRead(RedisKey stream, RedisStreamId lost) => lastRead.TryRemove(new(stream, lost));

    /// <summary>
    /// Reads new entries of all streams, and waits for some if there are none. Uses the raw command, because the client
    /// has no blocking read.
    /// </summary>
    /// <param name="blocking">A connection for commands that wait at the server.</param>
    /// <param name="count">The maximum number of entries of each stream.</param>
    /// <param name="stop">Cancels the wait for the answer.</param>
    public async Task<IReadOnlyList<(RedisKey Stream, RedisEntry[] Entries)>> ReadNewAsync(
        IDatabase blocking, int count, CancellationToken stop)
    {
        // The arguments of the last read are usually those of the next one. They are never changed: the client may
        // still hold those of a read that was abandoned.
        var (read, last) = (streams, lastArguments);
        if (last is null || last.Streams != read || last.Count != count)
        {
            object[] all =
            [
                "GROUP", group, consumer, "COUNT", count, "BLOCK", (long)RedisConnector.BlockTime.TotalMilliseconds, "STREAMS",
                .. read.Select(stream => (object)stream), .. read.Select(_ => (object)">"),
            ];
            lastArguments = last = new ReadArguments(read, count, all);
        }

        // The watchdog closes an inactive connection. While it is active, the wait has no timeout.
        return ToStreams(await AnswerAsync(blocking.ExecuteAsync("XREADGROUP", last.All), Timeout.InfiniteTimeSpan, stop));
    }

    /// <summary>
    /// Reads the new entries that all streams have now, without waiting for any. It costs less than
    /// <see cref="ReadNewAsync"/>, because the client knows this command and creates fewer objects for its answer.
    /// </summary>
    /// <param name="reading">A connection for large answers.</param>
    /// <param name="count">The maximum number of entries of each stream.</param>
    /// <param name="stop">Cancels the wait for the answer.</param>
    public async Task<IReadOnlyList<(RedisKey Stream, RedisEntry[] Entries)>> ReadPresentAsync(
        IDatabase reading, int count, CancellationToken stop)
    {
        StreamPosition[] positions = [.. streams.Select(stream => new StreamPosition(stream, StreamPosition.NewMessages))];
        var answer = await AnswerAsync(
            reading.StreamReadGroupAsync(positions, group, consumer, count), Timeout.InfiniteTimeSpan, stop);
        return [.. answer.Select(found => (found.Key, found.Entries.Select(entry => new RedisEntry(entry)).ToArray()))];
    }

    /// <summary>
    /// Waits until one of the streams has an entry after the id given for it. Does not change the position of the
    /// group.
    /// </summary>
    public static Task WaitForNewAsync(IDatabase blocking, IReadOnlyDictionary<RedisKey, RedisValue> after)
    {
        object[] arguments =
        [
            "COUNT", 1, "BLOCK", (long)RedisConnector.BlockTime.TotalMilliseconds, "STREAMS",
            .. after.Keys.Select(stream => (object)stream), .. after.Values.Select(id => (object)id),
        ];
        return blocking.ExecuteAsync("XREAD", arguments);
    }

    /// <summary>Gets the last entry that the group has delivered; null if there is no group.</summary>
    public async Task<RedisValue?> LastDeliveredAsync(RedisKey stream)
    {
        try
        {
            foreach (var each in await database.StreamGroupInfoAsync(stream))
            {
                if (each.Name == group)
                {
                    return each.LastDeliveredId;
                }
            }
        }
        catch (RedisServerException exception) when (exception.Message.Contains("no such key", StringComparison.Ordinal))
        {
            // There is no stream, and so no group.
        }

        return null;
    }

    /// <summary>Acknowledges entries.</summary>
    /// <exception cref="TimeoutException">The application's connection did not answer in time.</exception>
    public Task AckAsync(RedisKey stream, RedisValue[] ids, CancellationToken stop) => ids.Length == 0
        ? Task.CompletedTask
        : AnswerAsync(database.StreamAcknowledgeAsync(stream, group, ids), answerTimeout, stop);

    /// <summary>Converts a list of an answer to entries.</summary>
    public static RedisEntry[] ToEntries(RedisResult list)
    {
        var entries = new RedisEntry[list.Length];
        for (var i = 0; i < entries.Length; i++)
        {
            entries[i] = new RedisEntry((RedisValue)list[i][0], list[i][1]);
        }

        return entries;
    }

    /// <summary>Converts the answer of a read to entries by stream; empty if there is nothing.</summary>
    public static IReadOnlyList<(RedisKey Stream, RedisEntry[] Entries)> ToStreams(RedisResult reply)
    {
        if (reply.IsNull)
        {
            return [];
        }

        // With RESP3 the answer is a map, a list of alternating streams and entries; with RESP2 it is a list of pairs.
        var isMap = reply.Resp3Type == ResultType.Map;
        var found = new List<(RedisKey, RedisEntry[])>();
        var step = isMap ? 2 : 1;
        for (var i = 0; i < reply.Length; i += step)
        {
            var (stream, read) = isMap ? (reply[i], reply[i + 1]) : (reply[i][0], reply[i][1]);
            found.Add(((RedisKey)(byte[])stream!, ToEntries(read)));
        }

        return found;
    }

    private static async Task<T> AnswerAsync<T>(Task<T> answer, TimeSpan timeout, CancellationToken stop)
    {
        try
        {
            return await answer.WaitAsync(timeout, TimeProvider.System, stop);
        }
        catch (Exception)
        {
            // An abandoned command may fail later, when nothing awaits its answer.
            _ = answer.Observed();
            throw;
        }
    }

    /// <summary>The arguments of a read of new entries.</summary>
    private sealed record ReadArguments(RedisKey[] Streams, int Count, object[] All);
}

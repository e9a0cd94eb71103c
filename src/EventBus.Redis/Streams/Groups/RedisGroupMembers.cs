using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Runs the commands on the consumers of a group: finds the active ones, and removes this one or idle ones.
/// Thread-safe; every failure is thrown.
/// </summary>
internal sealed class RedisGroupMembers(RedisGroup group)
{
    // Greater than every id that a clock produces. The maximum id cannot be used: Redis treats it like ">", the request
    // for new entries.
    private static readonly RedisValue AfterAllEntries = "9223372036854775807-0";

    /// <summary>
    /// Gets the other consumers of the group that were active recently. The call also counts as activity of this
    /// consumer.
    /// </summary>
    /// <param name="within">The maximum time since their last activity.</param>
    public async Task<HashSet<string>> OthersAsync(TimeSpan within)
    {
        var others = new HashSet<string>(StringComparer.Ordinal);
        foreach (var stream in group.Streams)
        {
            try
            {
                // The activity of this consumer: an instance that stands by sends no other command to the group. It
                // asks for its own pending entries after every possible id, so that nothing is read.
                await group.Database.StreamReadGroupAsync(stream, group.Name, group.Consumer, AfterAllEntries, count: 1);
                others.UnionWith((await group.Database.StreamConsumerInfoAsync(stream, group.Name))
                    .Where(each => each.Name != group.Consumer && each.IdleTimeInMilliseconds < within.TotalMilliseconds)
                    .Select(each => each.Name));
            }
            catch (RedisServerException exception) when (RedisErrors.IsGroupMissing(exception) || RedisErrors.IsWrongType(exception))
            {
                // The read loop creates the group again, or excludes the stream.
            }
        }

        return others;
    }

    /// <summary>Removes this consumer from the group, unless entries are still pending for it.</summary>
    public Task LeaveAsync() => Task.WhenAll(group.Streams.Select(stream =>
        group.Database.ScriptEvaluateAsync(RedisGroupScripts.Leave, [stream], [group.Name, group.Consumer])));

    /// <summary>
    /// Removes the other consumers that were idle for longer than the given time and have no pending entries.
    /// </summary>
    public Task SweepAsync(TimeSpan idle) => Task.WhenAll(group.Streams.Select(stream =>
        group.Database.ScriptEvaluateAsync(RedisGroupScripts.Sweep, [stream], [group.Name, group.Consumer, (long)idle.TotalMilliseconds])));
}

using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Creates a group in a stream: a new group at the given position, a destroyed one at its recorded position. Detects
/// that Redis has lost entries.
/// </summary>
internal sealed class RedisGroupCreation(RedisGroup group, RedisStreamCatalog catalog, ILogger log)
{
    /// <summary>Creates the group in a stream if it is missing there.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="existed">True if the group existed, so that it was destroyed if it is missing.</param>
    /// <param name="beginning">The position of a group that is new in the stream.</param>
    public async Task CreateAsync(RedisKey stream, bool existed, RedisValue beginning)
    {
        if (await group.LastDeliveredAsync(stream) is not null)
        {
            // The group exists and keeps its position. Creating it is not tried, because Redis at its memory limit
            // refuses that.
            return;
        }

        var recorded = await catalog.PositionOfAsync(stream, group.Name);
        var wasDestroyed = existed || !recorded.IsNull;
        var lastHandled = ToLastHandled(recorded);
        var lastRead = group.LastRead(stream);
        var lastSeen = lastRead is not null && lastRead > lastHandled.GetValueOrDefault() ? lastRead : lastHandled;
        var end = wasDestroyed ? await EndAsync(stream) : null;

        // True if the stream ends before an entry that the group has read: Redis has lost entries.
        var hasLostEntries = lastSeen is not null && (end is null || end < lastSeen);
        RedisValue position;
        if (!wasDestroyed)
        {
            position = beginning;
        }
        else if (lastHandled is null || hasLostEntries)
        {
            position = RedisGroup.Start;
        }
        else
        {
            position = lastHandled.Value.ToString();
        }

        try
        {
            await group.Database.StreamCreateConsumerGroupAsync(stream, group.Name, position, createStream: true);
        }
        catch (RedisServerException exception) when (exception.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // Another instance has created the group.
            return;
        }

        if (wasDestroyed)
        {
            log.GroupVanished(group.Name, stream!, position!);
        }

        if (hasLostEntries)
        {
            log.DataLost(stream!, $"{lastSeen}", end?.ToString() ?? "nothing");
            group.ForgetRead(stream, lastRead.GetValueOrDefault());
        }

        await catalog.RecordPositionAsync(stream, group.Name);
    }

    /// <summary>
    /// Detects that Redis has lost entries that this instance has read, because Redis was restarted with an older copy
    /// of its data. The groups then have their older positions too, so that nothing has to be corrected.
    /// </summary>
    public async Task DetectDataLossAsync()
    {
        foreach (var stream in group.Streams)
        {
            var end = await EndAsync(stream);
            var lastRead = group.LastRead(stream);
            if (end is not null && lastRead is not null && end < lastRead)
            {
                log.DataLost(stream!, $"{lastRead}", $"{end}");
                group.ForgetRead(stream, lastRead.Value);
            }
        }
    }

    /// <summary>Converts a recorded position.</summary>
    /// <returns>The last entry that is certainly handled; null if no position is recorded or it is invalid.</returns>
    private static RedisStreamId? ToLastHandled(RedisValue recorded)
    {
        // An opening parenthesis means: the position before this entry.
        var isBefore = recorded.StartsWith("(");
        var text = isBefore ? (RedisValue)((string)recorded!)[1..] : recorded;
        if (!RedisStreamId.TryParse(text, out var id))
        {
            return null;
        }

        return isBefore ? id.Before() : id;
    }

    /// <summary>Gets the last id that the stream generated; null if there is no stream.</summary>
    private async Task<RedisStreamId?> EndAsync(RedisKey stream) =>
        await group.Database.KeyExistsAsync(stream)
            ? RedisStreamId.Parse((await group.Database.StreamInfoAsync(stream)).LastGeneratedId)
            : null;
}

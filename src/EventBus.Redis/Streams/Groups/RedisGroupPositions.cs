using System.Collections.Concurrent;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Creates a subscription's group in its streams, and records its position in keys next to the streams, so that a
/// destroyed group is created again at its position. Excludes streams whose keys cannot be used. Thread-safe; every
/// other failure is thrown.
/// </summary>
/// <param name="group">The group.</param>
/// <param name="isOpen">True if the group reads every stream (see <see cref="RedisStreamCatalog"/>).</param>
/// <param name="catalog">The catalog of the streams.</param>
/// <param name="names">The names of the keys, and the clock.</param>
/// <param name="log">The log for errors.</param>
internal sealed class RedisGroupPositions(RedisGroup group, bool isOpen, RedisStreamCatalog catalog, RedisTopology names, ILogger log)
{
    public static readonly TimeSpan ScanTimeout = TimeSpan.FromSeconds(30);

    // The streams that are not read because their keys cannot be used, each with the text for the health check.
    private readonly ConcurrentDictionary<RedisKey, string> excluded = new();

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => excluded.Select(each => $"{each.Value} The subscription reads its other streams.").FirstOrDefault();

    /// <summary>The catalog of the streams.</summary>
    public RedisStreamCatalog Catalog => catalog;

    /// <summary>Creates the group where it is missing, and the streams with it.</summary>
    /// <remarks>
    /// A new group begins with the entries that are added from now on. A group that was destroyed continues at its
    /// position. An open group that exists begins at the first entry of the streams that were created since.
    /// </remarks>
    /// <param name="existed">True if the group existed in all its streams, so that a missing one was destroyed.</param>
    /// <param name="cancellationToken">Cancels the call, which also has a timeout.</param>
    public async Task CreateAsync(bool existed, CancellationToken cancellationToken)
    {
        // A scan of the keys gets more time than single commands.
        using var timeout = cancellationToken.WithTimeout(isOpen ? ScanTimeout : RedisConnector.CommandTimeout, names.Time);
        try
        {
            await CreateAllAsync(existed, timeout.Token).WaitAsync(timeout.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("Redis did not answer in time.");
        }
    }

    /// <summary>
    /// Adds a stream that was created after the start, or that was excluded. A new group begins at its first entry.
    /// </summary>
    public async Task AddStreamAsync(RedisKey stream)
    {
        if (await TryCreateAsync(stream, existed: false, RedisGroup.Start))
        {
            await catalog.AddAsync([stream]);
            group.Add([stream]);
        }
    }

    /// <summary>The streams that are excluded.</summary>
    public IEnumerable<RedisKey> Excluded => excluded.Keys;

    /// <summary>
    /// Excludes the keys that are not streams or that the user may not access, if other streams remain.
    /// <see cref="AddStreamAsync"/> includes them again.
    /// </summary>
    public async Task ExcludeUnusableKeysAsync()
    {
        foreach (var stream in group.Streams)
        {
            try
            {
                // A probe that acknowledges nothing. It fails if the key has another type, or if the user has no right
                // to write it.
                await group.AckAsync(stream, [RedisGroup.Start], CancellationToken.None);
            }
            catch (RedisServerException exception) when (CanExclude && RedisErrors.IsOfKey(exception))
            {
                Exclude(stream, exception);
            }
        }
    }

    // The last stream is not excluded: the read loop then reports the error. An open group may find other streams.
    private bool CanExclude => isOpen || group.Streams.Count > 1;

    /// <summary>Records the position of the group in each stream, and repairs the other keys of the catalog.</summary>
    public async Task RecordAsync()
    {
        var streams = group.Streams;
        await Task.WhenAll(streams.Select(stream => catalog.RecordPositionAsync(stream, group.Name)));

        // Another program may have deleted the other keys of the catalog. Without them, other applications do not find
        // the streams, and an open group would miss the first entries of streams that are created while none of its
        // instances runs.
        await catalog.AddAsync(streams);
        if (isOpen && !await catalog.IsOpenGroupAsync(group.Name))
        {
            await catalog.AddOpenGroupAsync(group.Name);
        }
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

    private async Task CreateAllAsync(bool existed, CancellationToken timeout)
    {
        // A group is added to the set of open groups when it exists in all streams. A stream without it was then
        // created later, and is read from its beginning.
        var isKnownOpenGroup = isOpen && await catalog.IsOpenGroupAsync(group.Name);
        var beginning = isKnownOpenGroup ? RedisGroup.Start : RedisGroup.End;
        if (isOpen)
        {
            group.Add(await catalog.KnownStreamsAsync());
            group.Add(await catalog.ScanAsync(timeout));
        }

        await Task.WhenAll(group.Streams.Select(stream => TryCreateAsync(stream, existed, beginning)));

        if (isOpen && !isKnownOpenGroup)
        {
            await catalog.AddOpenGroupAsync(group.Name);
        }

        await catalog.AddAsync(group.Streams);
    }

    /// <summary>Creates the group in one stream, or excludes the stream if its key cannot be used.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="existed">True if the group existed, so that it was destroyed if it is missing.</param>
    /// <param name="beginning">The position of a group that is new in the stream.</param>
    /// <returns>True if the stream is read.</returns>
    private async Task<bool> TryCreateAsync(RedisKey stream, bool existed, RedisValue beginning)
    {
        try
        {
            await CreateInStreamAsync(stream, existed, beginning);
            excluded.TryRemove(stream, out _);
            return true;
        }
        catch (RedisServerException exception)
            when (RedisErrors.IsOfKey(exception) && (isOpen || excluded.ContainsKey(stream) || (existed && CanExclude)))
        {
            Exclude(stream, exception);
            return false;
        }
    }

    private void Exclude(RedisKey stream, Exception exception)
    {
        group.Remove(stream);
        var isDenied = RedisErrors.IsKeyDenied(exception);
        var problem = isDenied
            ? $"The user has no right to access the stream '{stream}'. Grant the user the right to this key."
            : $"The key '{stream}' has the name of a stream of events, but is not a stream. Rename it, or delete it.";
        if (!excluded.TryAdd(stream, problem))
        {
            return;
        }

        if (isDenied)
        {
            log.StreamDenied(stream!, group.Name);
        }
        else
        {
            log.NotAStream(stream!, group.Name);
        }
    }

    private async Task CreateInStreamAsync(RedisKey stream, bool existed, RedisValue beginning)
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

    /// <summary>Gets the last id that the stream generated; null if there is no stream.</summary>
    private async Task<RedisStreamId?> EndAsync(RedisKey stream) =>
        await group.Database.KeyExistsAsync(stream)
            ? RedisStreamId.Parse((await group.Database.StreamInfoAsync(stream)).LastGeneratedId)
            : null;
}

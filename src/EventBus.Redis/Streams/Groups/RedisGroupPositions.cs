using System.Collections.Concurrent;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Records the position of a subscription's group in its streams, in keys next to the streams, so that a destroyed
/// group is created again at its position. Thread-safe; every failure is thrown.
/// </summary>
internal sealed class RedisGroupPositions(RedisGroup group, bool isOpen, RedisStreamCatalog catalog, RedisTopology names, ILogger log)
{
    public static readonly TimeSpan ScanTimeout = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<RedisKey, string> excluded = new();

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => excluded.Select(each => $"{each.Value} The subscription reads its other streams.").FirstOrDefault();

    /// <summary>The catalog of the streams.</summary>
    public RedisStreamCatalog Catalog => catalog;

    /// <summary>Creates the group where it is missing, and the streams with it.</summary>
    /// <remarks>
    /// A new group begins with the entries that are added from now on. A group that reads every stream and existed
    /// before begins at the start of the streams that have appeared since.
    /// </remarks>
    /// <param name="existed">True if the group existed in all its streams.</param>
    /// <param name="cancellationToken">Cancels the call, which also has a timeout.</param>
    public async Task CreateAsync(bool existed, CancellationToken cancellationToken)
    {
        // A scan of the keys gets more time than single commands.
        using var limit = cancellationToken.WithTimeout(isOpen ? ScanTimeout : RedisConnector.Answer, names.Time);
        try
        {
            await CreateAllAsync(existed, limit.Token).WaitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("Redis did not answer in time.");
        }
    }

    /// <summary>Adds a stream that was created after the start, and reads it from its beginning.</summary>
    public async Task AddStreamAsync(RedisKey stream)
    {
        if (await TryCreateAsync(stream, existed: false, RedisGroup.Start))
        {
            await catalog.AddAsync([stream]);
            group.Add([stream]);
        }
    }

    /// <summary>The keys that are excluded.</summary>
    public IEnumerable<RedisKey> Excluded => excluded.Keys;

    /// <summary>
    /// Excludes the keys that are not streams or that the user may not access, if other streams remain. They are
    /// included again when they can be read.
    /// </summary>
    /// <returns>True if a key was excluded.</returns>
    public async Task<bool> ExcludeUnusableKeysAsync()
    {
        var before = excluded.Count;
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

        return excluded.Count > before;
    }

    // If no stream would remain, none is excluded: the read loop then reports the error.
    private bool CanExclude => isOpen || group.Streams.Count > 1;

    /// <summary>Writes the position of the group to the catalog.</summary>
    public async Task RecordAsync()
    {
        var streams = group.Streams;
        await Task.WhenAll(streams.Select(stream => catalog.RecordPositionAsync(stream, group.Name)));

        // The keys of the catalog are written again, because another program may have deleted them. Without them, other
        // applications do not find the streams, and a group that reads every stream would miss the first entries of
        // streams that are created while none of its instances runs.
        await catalog.AddAsync(streams);
        if (isOpen && !await catalog.IsOpenGroupAsync(group.Name))
        {
            await catalog.AddOpenGroupAsync(group.Name);
        }
    }

    /// <summary>
    /// Detects that Redis has lost entries that this instance has read, because Redis was restarted with an older copy
    /// of its data. The consumer groups in Redis then have their older state too.
    /// </summary>
    public async Task CheckAsync()
    {
        foreach (var stream in group.Streams)
        {
            var end = await EndAsync(stream);
            if (end is not null && group.LastRead(stream) is { } read && end < read)
            {
                log.DataLost(stream!, $"{read}", $"{end}");
                group.ForgetRead(stream, read);
            }
        }
    }

    /// <summary>Reads a recorded position.</summary>
    /// <returns>The last entry that is certainly handled; null if no position is recorded or it is invalid.</returns>
    private static RedisStreamId? Read(RedisValue recorded)
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

    private async Task CreateAllAsync(bool existed, CancellationToken limit)
    {
        var beginning = existed ? RedisGroup.Start : RedisGroup.End;
        var isListed = !isOpen || await catalog.IsOpenGroupAsync(group.Name);
        if (isOpen)
        {
            beginning = isListed ? RedisGroup.Start : beginning;
            group.Add(await catalog.KnownAsync());
            group.Add(await catalog.ScanAsync(limit));
        }

        await Task.WhenAll(group.Streams.Select(stream => TryCreateAsync(stream, existed, beginning)));

        // Added last: if an instance finds the group in this set, and a stream without the group, it assumes that the
        // stream was created later, and reads it from its beginning.
        if (!isListed)
        {
            await catalog.AddOpenGroupAsync(group.Name);
        }

        await catalog.AddAsync(group.Streams);
    }

    /// <summary>Creates the group in one stream, or excludes the stream if its key cannot be used.</summary>
    /// <returns>True if the stream is read.</returns>
    private async Task<bool> TryCreateAsync(RedisKey stream, bool existed, RedisValue beginning)
    {
        try
        {
            await CreateAsync(stream, existed, beginning);
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
            ? $"The user has no right to the stream '{stream}': grant it."
            : $"The key '{stream}' has the name of a stream of events and is not a stream. Rename it, or delete it.";
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

    private async Task CreateAsync(RedisKey stream, bool existed, RedisValue beginning)
    {
        if (await group.LastDeliveredAsync(stream) is not null)
        {
            // The group existed before and keeps its position. Creating it is not tried, because Redis at its memory
            // limit refuses that.
            return;
        }

        var recorded = await catalog.PositionOfAsync(stream, group.Name);
        var handled = Read(recorded);
        var wasDeleted = existed || !recorded.IsNull;
        var end = wasDeleted ? await EndAsync(stream) : null;
        var read = group.LastRead(stream);
        var last = read is not null && read > handled.GetValueOrDefault() ? read : handled;

        // True if the stream ends before an entry that the group has read: Redis has lost entries.
        var hasLostEntries = last is not null && (end is null || end < last);
        RedisValue position;
        if (!wasDeleted)
        {
            position = beginning;
        }
        else if (handled is null || hasLostEntries)
        {
            position = RedisGroup.Start;
        }
        else
        {
            position = handled.Value.ToString();
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

        if (wasDeleted)
        {
            log.GroupVanished(group.Name, stream!, position!);
        }

        if (hasLostEntries)
        {
            log.DataLost(stream!, $"{last}", end?.ToString() ?? "nothing");
            group.ForgetRead(stream, read.GetValueOrDefault());
        }

        await catalog.RecordPositionAsync(stream, group.Name);
    }

    /// <summary>Gets the last id that the stream generated; null if there is no stream.</summary>
    private async Task<RedisStreamId?> EndAsync(RedisKey stream) =>
        await group.Database.KeyExistsAsync(stream)
            ? RedisStreamId.Parse((await group.Database.StreamInfoAsync(stream)).LastGeneratedId)
            : null;
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Where a subscription's group stands in its streams: written down beside them, so that a group that was destroyed is made again where it was. Thread-safe; every failure is thrown.</summary>
internal sealed class RedisGroupPositions(RedisGroup group, bool isOpen, RedisStreamCatalog directory, RedisTopology names, ILogger log)
{
    public static readonly TimeSpan ScanTimeout = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<RedisKey, RedisStreamId> seen = new();
    private readonly ConcurrentDictionary<RedisKey, string> leftOut = new();

    /// <summary>What an operator should look at; null when there is nothing.</summary>
    public string? Complaint => leftOut.Select(each => $"{each.Value} The subscription reads its other streams.").FirstOrDefault();

    /// <summary>What is written down beside the streams.</summary>
    public RedisStreamCatalog Directory => directory;

    /// <summary>Creates the group where it is missing, and the streams with it.</summary>
    /// <remarks>A new group begins at what comes from now on. One that reads every stream there is, and was there before, begins at the beginning of those that appeared meanwhile.</remarks>
    /// <param name="mending">It was there in all its streams.</param>
    /// <param name="cancellationToken">Ends it, as does its time.</param>
    public async Task CreateAsync(bool mending, CancellationToken cancellationToken)
    {
        // The keys are gone through no longer than somebody waits for it.
        using var timeout = new CancellationTokenSource(isOpen ? ScanTimeout : RedisConnector.Answer, names.Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await CreateAllAsync(mending, limit.Token).WaitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("Redis did not answer in time.");
        }
    }

    /// <summary>Reads a stream that appeared later, from its beginning.</summary>
    public async Task TakeInAsync(RedisKey stream)
    {
        if (await TryCreateAsync(stream, mending: false, RedisGroup.Start))
        {
            await directory.EnterAsync([stream]);
            group.Add([stream]);
        }
    }

    /// <summary>The keys that are left out.</summary>
    public IEnumerable<RedisKey> LeftOut => leftOut.Keys;

    /// <summary>Reads on without the keys that hold something else than a stream, or that the user may not touch, where there are others to read. They come back when they can be read.</summary>
    /// <returns>Whether there are any.</returns>
    public async Task<bool> LeaveOutStrayKeysAsync()
    {
        var before = leftOut.Count;
        foreach (var stream in group.Streams)
        {
            try
            {
                // Acknowledges nothing; it asks for the type of the key, and for the right to write.
                await group.AckAsync(stream, [RedisGroup.Start]);
            }
            catch (RedisServerException exception) when (CanLeaveOut && RedisErrors.IsOfKey(exception))
            {
                LeaveOut(stream, exception);
            }
        }

        return leftOut.Count > before;
    }

    // Where nothing would be left to read, the reading says what is wrong instead.
    private bool CanLeaveOut => isOpen || group.Streams.Count > 1;

    /// <summary>An entry was read.</summary>
    public void Seen(RedisKey stream, RedisValue id)
    {
        if (RedisStreamId.TryParse(id, out var read))
        {
            seen.AddOrUpdate(stream, read, (_, before) => read > before ? read : before);
        }
    }

    /// <summary>Writes down where the group stands.</summary>
    public async Task NoteAsync()
    {
        var streams = group.Streams;
        await Task.WhenAll(streams.Select(stream => directory.NoteAsync(stream, group.Name)));

        // Whoever deleted these may have deleted more: without them others do not find the streams, and a group that reads all begins at the end of those that appear while it is away.
        await directory.EnterAsync(streams);
        if (isOpen && !await directory.ReadsAllAsync(group.Name))
        {
            await directory.EnterReaderOfAllAsync(group.Name);
        }
    }

    /// <summary>Looks whether Redis went back behind what was read here: it was started again from an older copy. Its groups went back with it.</summary>
    public async Task CheckAsync()
    {
        foreach (var stream in group.Streams)
        {
            if (await EndAsync(stream) is { } end && seen.TryGetValue(stream, out var read) && end < read)
            {
                log.DataLost(stream!, $"{read}", $"{end}");
                seen.TryRemove(new(stream, read));
            }
        }
    }

    /// <returns>The last entry that was handled for certain; null where there is no note, or nonsense.</returns>
    private static RedisStreamId? Read(RedisValue note)
    {
        var isBefore = note.StartsWith("(");
        var text = isBefore ? (RedisValue)((string)note!)[1..] : note;
        return !RedisStreamId.TryParse(text, out var id) ? null : isBefore ? id.Before() : id;
    }

    private async Task CreateAllAsync(bool mending, CancellationToken limit)
    {
        var beginning = mending ? RedisGroup.Start : RedisGroup.End;
        var isEntered = !isOpen || await directory.ReadsAllAsync(group.Name);
        if (isOpen)
        {
            beginning = isEntered ? RedisGroup.Start : beginning;
            group.Add(await directory.KnownAsync());
            group.Add(await directory.ScanAsync(limit));
        }

        await Task.WhenAll(group.Streams.Select(stream => TryCreateAsync(stream, mending, beginning)));

        // Only now: whoever finds it there takes every stream without the group for a later one.
        await (isEntered ? Task.CompletedTask : directory.EnterReaderOfAllAsync(group.Name));
        await directory.EnterAsync(group.Streams);
    }

    /// <returns>Whether the stream is read.</returns>
    private async Task<bool> TryCreateAsync(RedisKey stream, bool mending, RedisValue beginning)
    {
        try
        {
            await CreateAsync(stream, mending, beginning);
            leftOut.TryRemove(stream, out _);
            return true;
        }
        catch (RedisServerException exception) when ((isOpen || leftOut.ContainsKey(stream) || (mending && CanLeaveOut)) && RedisErrors.IsOfKey(exception))
        {
            LeaveOut(stream, exception);
            return false;
        }
    }

    private void LeaveOut(RedisKey stream, Exception exception)
    {
        group.Remove(stream);
        var isDenied = RedisErrors.IsKeyDenied(exception);
        if (leftOut.TryAdd(stream, isDenied ? $"The user has no right to the stream '{stream}': grant it." : $"The key '{stream}' has the name of a stream of events and holds something else. Rename it, or delete it."))
        {
            if (isDenied)
            {
                log.StreamDenied(stream!, group.Name);
            }
            else
            {
                log.NotAStream(stream!, group.Name);
            }
        }
    }

    private async Task CreateAsync(RedisKey stream, bool mending, RedisValue beginning)
    {
        if (await group.LastDeliveredAsync(stream) is not null)
        {
            // It was there before: it keeps its place. Creating is not even tried, which Redis at its memory limit refuses.
            return;
        }

        var note = await directory.NoteOfAsync(stream, group.Name);
        var (place, wasThere) = (Read(note), mending || !note.IsNull);
        var end = wasThere ? await EndAsync(stream) : null;
        var last = seen.TryGetValue(stream, out var read) && read > place.GetValueOrDefault() ? read : place;
        var isBehind = last is { } reached && (end is null || end < reached);
        var position = !wasThere ? beginning : place is null || isBehind ? RedisGroup.Start : (RedisValue)place.Value.ToString();
        try
        {
            await group.Database.StreamCreateConsumerGroupAsync(stream, group.Name, position, createStream: true);
        }
        catch (RedisServerException exception) when (exception.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // Another instance was faster.
            return;
        }

        if (wasThere)
        {
            log.GroupVanished(group.Name, stream!, position!);
        }

        if (isBehind)
        {
            log.DataLost(stream!, $"{last}", end?.ToString() ?? "nothing");
            seen.TryRemove(stream, out _);
        }

        await directory.NoteAsync(stream, group.Name);
    }

    /// <summary>The last id that the stream ever had; null when there is no stream.</summary>
    private async Task<RedisStreamId?> EndAsync(RedisKey stream) =>
        await group.Database.KeyExistsAsync(stream) ? RedisStreamId.Parse((await group.Database.StreamInfoAsync(stream)).LastGeneratedId) : null;
}

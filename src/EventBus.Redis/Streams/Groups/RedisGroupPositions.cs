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

    private readonly RedisExcludedStreams excluded = new(group, isOpen, log);
    private readonly RedisGroupCreation creation = new(group, catalog, log);

    /// <inheritdoc cref="RedisExcludedStreams.Problem"/>
    public string? Problem => excluded.Problem;

    /// <summary>The streams that are excluded.</summary>
    public IEnumerable<RedisKey> Excluded => excluded.Streams;

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

    /// <inheritdoc cref="RedisExcludedStreams.ExcludeUnusableKeysAsync"/>
    public Task ExcludeUnusableKeysAsync() => excluded.ExcludeUnusableKeysAsync();

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

    /// <inheritdoc cref="RedisGroupCreation.DetectDataLossAsync"/>
    public Task DetectDataLossAsync() => creation.DetectDataLossAsync();

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
            await creation.CreateAsync(stream, existed, beginning);
            excluded.Include(stream);
            return true;
        }
        catch (RedisServerException exception)
            when (RedisErrors.IsOfKey(exception) && (isOpen || excluded.Contains(stream) || (existed && excluded.CanExclude)))
        {
            excluded.Exclude(stream, exception);
            return false;
        }
    }
}

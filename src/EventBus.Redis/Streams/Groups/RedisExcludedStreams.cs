using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Excludes streams whose keys cannot be used from the reads of a group, and reports them. Thread-safe.
/// </summary>
/// <param name="group">The group.</param>
/// <param name="isOpen">True if the group reads every stream (see <see cref="RedisStreamCatalog"/>).</param>
/// <param name="log">The log for errors.</param>
internal sealed class RedisExcludedStreams(RedisGroup group, bool isOpen, ILogger log)
{
    // The streams that are not read because their keys cannot be used, each with the text for the health check.
    private readonly ConcurrentDictionary<RedisKey, string> excluded = new();

    /// <summary>The streams that are excluded.</summary>
    public IEnumerable<RedisKey> Streams => excluded.Keys;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => excluded.Select(each => $"{each.Value} The subscription reads its other streams.").FirstOrDefault();

    /// <summary>
    /// True if a stream may be excluded: another one remains, or the group is open and may find others. The last stream
    /// is not excluded, so that the read loop reports its error.
    /// </summary>
    public bool CanExclude => isOpen || group.Streams.Count > 1;

    /// <summary>True if a stream is excluded.</summary>
    public bool Contains(RedisKey stream) => excluded.ContainsKey(stream);

    /// <summary>Ends the exclusion of a stream.</summary>
    public void Include(RedisKey stream) => excluded.TryRemove(stream, out _);

    /// <summary>Excludes a stream whose key cannot be used, and logs it once.</summary>
    public void Exclude(RedisKey stream, Exception exception)
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

    /// <summary>
    /// Excludes the keys that are not streams or that the user may not access, if other streams remain.
    /// <see cref="RedisGroupPositions.AddStreamAsync"/> includes them again.
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
}

using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Removes old dead letters. A dead letter that cannot be read is kept for an operator, and later sweeps skip it.
/// </summary>
internal sealed class RedisDeadLetterSweep(RedisStoreLink link, RedisFailureKeys keys)
{
    private const int PageSize = 100;

    /// <summary>Removes old dead letters page by page.</summary>
    /// <param name="before">The time before which the last failure must be.</param>
    /// <param name="max">The maximum number of dead letters to remove.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of removed dead letters.</returns>
    public async Task<int> RunAsync(DateTimeOffset before, int max, CancellationToken cancellationToken)
    {
        var removed = 0;
        while (removed < max)
        {
            var size = Math.Min(PageSize, max - removed);
            var rows = (RedisResult[])(await link.RunAsync(
                RedisDeadLetterQueries.Oldest,
                [keys.DeadByAge, .. keys.Load[..4]],
                [RedisTime.Write(before), size],
                cancellationToken))!;
            var results = await Task.WhenAll(rows.Select(row => TryRemoveAsync(row, before, cancellationToken)));
            var removedNow = results.Count(isRemoved => isRemoved);
            removed += removedNow;

            // If no entry of the page was removed, the next page could be the same one, without end.
            if (rows.Length < size || removedNow == 0)
            {
                break;
            }
        }

        return removed;
    }

    /// <summary>Removes one dead letter, or its member of the index by age if it must be kept.</summary>
    /// <returns>True if the dead letter was removed.</returns>
    private async Task<bool> TryRemoveAsync(RedisResult row, DateTimeOffset before, CancellationToken cancellationToken)
    {
        var id = (string)row[0]!;
        var isDead = !row[1].IsNull;
        if (isDead && RedisFailureFormat.IsReadable(id, row[2], row[3]))
        {
            return (bool)await link.RunAsync(
                RedisDeadLetterScripts.Discard,
                keys.ForEntry(id),
                [id, RedisTime.Write(before)],
                cancellationToken);
        }

        await link.AskAsync(database => database.SortedSetRemoveAsync(keys.DeadByAge, id), cancellationToken);
        return false;
    }
}

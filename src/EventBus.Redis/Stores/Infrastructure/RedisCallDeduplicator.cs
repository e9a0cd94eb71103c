using System.Collections.Concurrent;

namespace EventBus;

/// <summary>Distinguishes the repeat of a call whose reply was lost from a new call. Thread-safe.</summary>
/// <remarks>
/// Each call has a token that its script stores with the data it writes. A call without a reply may have been executed.
/// Its repeat has the same token, by which the script recognizes it and returns the same reply. If equal calls run
/// concurrently after a lost reply, one of them is the repeat and the others are new calls.
/// </remarks>
internal sealed class RedisCallDeduplicator
{
    private const int MaxTokens = 10_000;

    private readonly ConcurrentDictionary<string, string> unanswered = new(StringComparer.Ordinal);

    /// <summary>
    /// Sends a call. If the previous call of this name had no reply, it is sent again with the same token.
    /// </summary>
    /// <param name="call">The name of the call; a repeat has the same name.</param>
    /// <param name="send">Sends the call with a token.</param>
    public async Task<T> RunAsync<T>(string call, Func<string, Task<T>> send)
    {
        // ContainsKey takes no lock, and usually finds nothing; TryRemove would always take one.
        string? token = null;
        if (unanswered.ContainsKey(call))
        {
            unanswered.TryRemove(call, out token);
        }

        token ??= Guid.NewGuid().ToString("N");
        try
        {
            return await send(token);
        }
        catch
        {
            // A caller that never repeats its call leaves its token behind. When there are too many tokens, all are
            // removed, because the old ones are no longer useful.
            if (unanswered.Count >= MaxTokens)
            {
                unanswered.Clear();
            }

            unanswered[call] = token;
            throw;
        }
    }
}

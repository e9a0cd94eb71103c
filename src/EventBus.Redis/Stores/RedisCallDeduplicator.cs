using System.Collections.Concurrent;

namespace EventBus;

/// <summary>Tells the repeat of a call whose answer was lost from a new one. Thread-safe.</summary>
/// <remarks>
/// Each call carries a token that its script keeps with what it wrote. A call that got no answer may have been carried out all the same: its repeat carries the same token, by which the script
/// recognises it and answers as it did the first time. Of several calls at once one is the repeat, and the others are new.
/// </remarks>
internal sealed class RedisCallDeduplicator
{
    private const int Max = 10_000;

    private readonly ConcurrentDictionary<string, string> unanswered = new(StringComparer.Ordinal);

    /// <param name="call">Names the call: the same for a repeat.</param>
    /// <param name="send">Sends it with a token.</param>
    public async Task<T> RunAsync<T>(string call, Func<string, Task<T>> send)
    {
        var token = unanswered.ContainsKey(call) && unanswered.TryRemove(call, out var earlier) ? earlier : Guid.NewGuid().ToString("N");
        try
        {
            return await send(token);
        }
        catch
        {
            // A caller that never comes back leaves its token: with so many of them, the old ones are no longer of use.
            if (unanswered.Count >= Max)
            {
                unanswered.Clear();
            }

            unanswered[call] = token;
            throw;
        }
    }
}

using System.Runtime.ExceptionServices;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Runs the maintenance of several streams, so that a problem of one does not concern the others.</summary>
internal static class EachStream
{
    /// <summary>
    /// Runs an action for each stream, even if Redis refuses it for one or the answer is malformed. Throws the first of
    /// these errors at the end. An outage, which concerns all streams, ends the loop at once.
    /// </summary>
    public static async Task RunAsync<T>(IEnumerable<T> streams, Func<T, Task> action)
    {
        ExceptionDispatchInfo? failure = null;
        foreach (var stream in streams)
        {
            try
            {
                await action(stream);
            }
            catch (Exception exception) when (exception is RedisServerException or RedisCommandException
                or InvalidOperationException or FormatException or OverflowException or InvalidCastException)
            {
                failure ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        failure?.Throw();
    }
}

using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Runs blocking calls of the client on threads of their own.</summary>
internal static class KafkaThreads
{
    /// <summary>The time within which a client has to be disposed. After it the thread is abandoned.</summary>
    public static readonly TimeSpan DisposeTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Runs a blocking call on a new thread.</summary>
    /// <typeparam name="T">The type of the result.</typeparam>
    /// <param name="name">The name of the thread.</param>
    /// <param name="call">The call.</param>
    public static Task<T> RunAsync<T>(string name, Func<T> call)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(Run) { IsBackground = true, Name = $"EventBus.Kafka {name}" };
        thread.UnsafeStart();
        return done.Task.Observed();

        void Run()
        {
            try
            {
                done.TrySetResult(call());
            }
            catch (Exception exception)
            {
                done.TrySetException(exception);
            }
        }
    }

    /// <summary>
    /// Disposes a client on a new thread, and waits for it for a limited time: some versions of the client do not
    /// return.
    /// </summary>
    public static async Task DisposeAsync(IDisposable client, string name, TimeProvider time, ILogger log)
    {
        var disposing = RunAsync(
            $"dispose {name}",
            () =>
            {
                client.Dispose();
                return true;
            });
        await disposing.WaitAsync(DisposeTimeout, time).Quietly();
        if (!disposing.IsCompleted)
        {
            log.NotDisposed(name, DisposeTimeout);
        }
    }
}

using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>
/// Runs a loop on the thread pool, and runs it again with backoff and jitter whenever it fails. Every failure is
/// logged. Run only one loop at a time; the properties are thread-safe.
/// </summary>
/// <param name="activity">The name of the activity in the log, for instance <c>reading for mail</c>.</param>
/// <param name="time">The clock of the delays.</param>
/// <param name="log">The log. Only the first failure of an outage is logged in full.</param>
/// <param name="failed">
/// Logs a failure in full, with the delay before the next attempt. Exceptions that it throws are ignored.
/// </param>
public sealed class SupervisedLoop(string activity, TimeProvider time, ILogger log, Action<ILogger, TimeSpan, Exception> failed)
{
    private readonly RestartBackoff backoff = new(time);
    private readonly TaskCompletionSource firstFailure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Exception? lastError;

    /// <summary>
    /// The delay after the first failure. It doubles with each further failure, and is shortened by a jitter of up to
    /// 50 %. Default: 50 ms.
    /// </summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The maximum delay between two attempts. Default: 2 s.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Selects the failures that another loop reports, such as the outage of a shared connection. They are logged at
    /// the level Debug only, and do not become the <see cref="LastError"/>. Default: none.
    /// </summary>
    public Func<Exception, bool> IsReportedElsewhere { get; init; } = static _ => false;

    /// <summary>The error of the last attempt; null while the activity works.</summary>
    public Exception? LastError => lastError;

    /// <summary>
    /// The number of failures since the activity last worked for 3 seconds or completed a unit of work
    /// (<see cref="Progressed"/>).
    /// </summary>
    public int Failures => backoff.Failures;

    /// <summary>Completes at the first error that <see cref="LastError"/> contains.</summary>
    public Task Failed => firstFailure.Task;

    /// <summary>
    /// Reports that the activity works. After 3 seconds of work the next delay is short again; an activity that fails
    /// right after each start keeps its backoff. May be called often.
    /// </summary>
    public void Succeeded()
    {
        backoff.Succeeded();
        lastError = null;
        log.Working(activity);
    }

    /// <summary>
    /// Reports that the activity has completed a unit of work: the next delay is short again, however long the activity
    /// has worked.
    /// </summary>
    public void Progressed() => backoff.Progressed();

    /// <summary>Runs a loop until it returns or is stopped. Never throws.</summary>
    /// <param name="loop">
    /// The loop. It calls <see cref="Succeeded"/> when it works, and throws when it cannot continue.
    /// </param>
    /// <param name="stop">Stops the loop.</param>
    public async Task RunAsync(Func<CancellationToken, Task> loop, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(loop);
        await BackendTasks.SwitchToThreadPool();
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await loop(stop);
                return;
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                // The loop was stopped: its owner closes what the loop uses, so the error has no meaning.
                return;
            }
            catch (Exception exception)
            {
                await RecoverAsync(exception, stop);
            }
        }
    }

    /// <summary>
    /// Repeats a short action until it is stopped, with a pause after each pass. A pass that does not throw counts as
    /// success. Never throws.
    /// </summary>
    /// <param name="pass">The action.</param>
    /// <param name="period">The pause after a pass.</param>
    /// <param name="stop">Stops the loop.</param>
    public Task RepeatAsync(Func<CancellationToken, Task> pass, TimeSpan period, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(pass);
        return RunAsync(RepeatedAsync, stop);

        async Task RepeatedAsync(CancellationToken stopped)
        {
            while (true)
            {
                await pass(stopped);
                Succeeded();
                Progressed();
                await Task.Delay(period, time, stopped);
            }
        }
    }

    /// <summary>
    /// Repeats an action without a pause until it is stopped. Prepares it at the start and again after each failure.
    /// Each completed preparation counts as success. Never throws.
    /// </summary>
    /// <typeparam name="TPrepared">The type of the result of the preparation.</typeparam>
    /// <param name="prepare">Prepares the action.</param>
    /// <param name="pass">The action, with the result of the last preparation.</param>
    /// <param name="stop">Stops the loop.</param>
    public Task RepeatAsync<TPrepared>(
        Func<CancellationToken, Task<TPrepared>> prepare, Func<TPrepared, CancellationToken, Task> pass, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(prepare);
        ArgumentNullException.ThrowIfNull(pass);
        return RunAsync(RepeatedAsync, stop);

        async Task RepeatedAsync(CancellationToken stopped)
        {
            var prepared = await prepare(stopped);
            while (!stopped.IsCancellationRequested)
            {
                Succeeded();
                await pass(prepared, stopped);
                Progressed();
            }
        }
    }

    private async Task RecoverAsync(Exception exception, CancellationToken stop)
    {
        var delay = backoff.DelayAfterFailure(FirstDelay, MaxDelay);

        // The wait starts before the failure is logged, so that a test may advance the clock when it sees the entry.
        var waiting = Task.Delay(delay, time, stop);
        try
        {
            Report(exception, delay);
        }
        catch (Exception)
        {
            // An exception of a logger does not end the activity.
        }

        await waiting.Quietly();
    }

    private void Report(Exception exception, TimeSpan delay)
    {
        if (IsReportedElsewhere(exception))
        {
            log.AttemptFailed(activity, delay, exception);
            return;
        }

        lastError = exception;
        firstFailure.TrySetResult();
        log.Failing(activity, exception, full => failed(full, delay, exception));
    }
}

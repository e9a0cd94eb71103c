using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;

[assembly: AssemblyFixture(typeof(EventBus.Conformance.Canary))]

namespace EventBus.Conformance;

/// <summary>
/// The password of the test servers, which must not appear in any output. While the tests of a program run, this class
/// searches every thrown exception, every trace and the texts in <see cref="Log"/> for it.
/// </summary>
public sealed class Canary : IDisposable
{
    private static readonly ConcurrentQueue<string> Found = new();
    private readonly ActivityListener traces;

    public Canary()
    {
        traces = new ActivityListener
        {
            ShouldListenTo = _ => true,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = Check
        };
        ActivitySource.AddActivityListener(traces);
        AppDomain.CurrentDomain.FirstChanceException += Check;
    }

    /// <summary>The password of the servers, or an unused value if they have none.</summary>
    public static string Password { get; } = Environment.GetEnvironmentVariable("EVENTBUS_TEST_CANARY") is { Length: > 0 } given
        ? given
        : "no-canary-was-given";

    /// <summary>The log of all tests that have none of their own. The log of such a test forwards to it.</summary>
    public static CanaryLog Log { get; } = new();

    public void Dispose()
    {
        AppDomain.CurrentDomain.FirstChanceException -= Check;
        traces.Dispose();
        Assert.True(
            Found.IsEmpty,
            $"A password was in {Found.Count} exceptions, traces or logs, the first: {(Found.TryPeek(out var first) ? first : "")}");
    }

    /// <summary>Records a text that contains the password. Any record fails the run at its end.</summary>
    public static void Check(string what, string text)
    {
        if (text.Contains(Password, StringComparison.Ordinal))
        {
            Found.Enqueue($"{what}: {text.Replace(Password, "(the password)", StringComparison.Ordinal)}");
        }
    }

    private static void Check(object? sender, FirstChanceExceptionEventArgs thrown)
    {
        try
        {
            // Inner exceptions were not necessarily thrown, so they are checked here.
            for (var exception = thrown.Exception; exception is not null; exception = exception.InnerException)
            {
                Check($"{exception.GetType()}", $"{exception.Message} {string.Join(' ', exception.Data.Values.Cast<object>())}");
            }
        }
        catch (Exception)
        {
            // An exception whose members throw must not end the process.
        }
    }

    private static void Check(Activity trace) => Check(
        $"the trace {trace.DisplayName}",
        $"{trace.StatusDescription} {string.Join(' ', trace.TagObjects.Select(tag => tag.Value))} "
            + $"{string.Join(' ', trace.Events.SelectMany(each => each.Tags).Select(tag => tag.Value))}");
}

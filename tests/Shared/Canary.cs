using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;

[assembly: AssemblyFixture(typeof(EventBus.Conformance.Canary))]

namespace EventBus.Conformance;

/// <summary>
/// The password of the test servers: it is known, so that one can look whether it sings. Listens to every exception
/// that is thrown, every trace that is made and what goes into <see cref="Log"/> while the tests of a program run.
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

    /// <summary>The password; an unused one if the servers have none.</summary>
    public static string Password { get; } = Environment.GetEnvironmentVariable("EVENTBUS_TEST_CANARY") is { Length: > 0 } given
        ? given
        : "no-canary-was-given";

    /// <summary>The log of all tests without their own; the log of a test forwards to it.</summary>
    public static CanaryLog Log { get; } = new();

    public void Dispose()
    {
        AppDomain.CurrentDomain.FirstChanceException -= Check;
        traces.Dispose();
        Assert.True(
            Found.IsEmpty,
            $"A password was in {Found.Count} exceptions, traces or logs, the first: {(Found.TryPeek(out var first) ? first : "")}");
    }

    /// <summary>Notes a text with the password in it. What was found fails the run at its end.</summary>
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
            // The inner ones too: not all of them were thrown.
            for (var exception = thrown.Exception; exception is not null; exception = exception.InnerException)
            {
                Check($"{exception.GetType()}", $"{exception.Message} {string.Join(' ', exception.Data.Values.Cast<object>())}");
            }
        }
        catch (Exception)
        {
            // Whatever is wrong with an exception that cannot even say its message, throwing here would end the
            // process.
        }
    }

    private static void Check(Activity trace) => Check(
        $"the trace {trace.DisplayName}",
        $"{trace.StatusDescription} {string.Join(' ', trace.TagObjects.Select(tag => tag.Value))} "
            + $"{string.Join(' ', trace.Events.SelectMany(each => each.Tags).Select(tag => tag.Value))}");
}

using System.Net.Sockets;
using EventBus.Stores;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that a write counts as unstorable only if the store accepts other writes before and after it, several times
/// in a row.
/// </summary>
public sealed class DurableWriterTests
{
    private const int Whole = 0;
    private const int WithBody = 1;
    private const int WithoutBody = 2;

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly ConcurrencyLimiter slots;
    private readonly DurableWriter writer;
    private readonly int[] written = new int[3];
    private int probes;
    private Func<CancellationToken, Task> probe = _ => Task.CompletedTask;

    public DurableWriterTests()
    {
        writer = new DurableWriter(TestServices.Create(time));
        slots = new ConcurrencyLimiter(10, writer.Intake);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Write_WhileProbesFailInBetween_IsNeverReduced()
    {
        probe = _ => probes % 5 == 0 ? throw new InvalidOperationException("no") : Task.CompletedTask;

        Assert.Equal(Whole, await WriteAsync(count => count <= 50 ? new InvalidOperationException("no") : null));
        Assert.Equal(0, written[WithBody]);
    }

    [Fact]
    public async Task Write_WhileTheStoreRefusesEverythingInBetween_IsNeverReduced()
    {
        Assert.Equal(Whole, await WriteAsync(count => count > 50 ? null
            : count % 3 == 0 ? new StoreRefusedException(StoreScope.Store, "full")
            : new InvalidOperationException("no")));
        Assert.Equal(0, written[WithBody]);
    }

    [Fact]
    public async Task Write_FailsFourTimesBetweenProbesThatSucceed_IsReduced()
    {
        Assert.Equal(WithBody, await WriteAsync(_ => new InvalidOperationException("no")));
        Assert.Equal((6, 1, 0), (written[Whole], written[WithBody], written[WithoutBody]));
    }

    [Theory]
    [InlineData(typeof(TimeoutException))]
    [InlineData(typeof(OperationCanceledException))]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(SocketException))]
    public async Task Write_LosesItsConnectionForLessThan30Seconds_IsNotReduced(Type type)
    {
        var start = time.GetTimestamp();

        Assert.Equal(Whole, await WriteAsync(_ => time.GetElapsedTime(start) < TimeSpan.FromSeconds(29)
            ? new EventBusException("no", (Exception)Activator.CreateInstance(type)!)
            : null));
        Assert.Equal(0, written[WithBody]);
    }

    [Fact]
    public async Task Write_TimesOutForLongWhileTheStoreAnswers_IsReduced()
    {
        var start = time.GetTimestamp();

        Assert.Equal(WithBody, await WriteAsync(_ => new TimeoutException()));
        Assert.InRange(time.GetElapsedTime(start), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(90));
    }

    /// <summary>
    /// The store is unreachable for a moment after each attempt of this write: that does not count as an outage, and
    /// the write is reduced.
    /// </summary>
    [Theory]
    [InlineData(0.05)]
    [InlineData(2)]
    public async Task Write_CutsItsConnectionEachTime_IsReducedWhileTheStoreReconnects(double seconds)
    {
        var connectedAt = time.GetUtcNow();
        var start = time.GetTimestamp();
        probe = _ => IsConnected() ? Task.CompletedTask : throw new IOException("not connected");

        Assert.Equal(WithBody, await WriteAsync(
            _ =>
            {
                connectedAt = time.GetUtcNow() + TimeSpan.FromSeconds(seconds);
                return new IOException("cut");
            },
            _ => IsConnected() ? null : new IOException("not connected")));
        Assert.InRange(time.GetElapsedTime(start), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(120));
        Assert.False(writer.StoreIsDown);

        bool IsConnected() => time.GetUtcNow() >= connectedAt;
    }

    /// <summary>A store that is intermittently reachable interrupts all writes: no write counts as the cause.</summary>
    [Fact]
    public async Task Write_WhileTheStoreIsUpIntermittently_IsNeverReduced()
    {
        var start = time.GetTimestamp();
        probe = _ => Seconds() % 7 < 4 ? Task.CompletedTask : throw new IOException("down");

        Assert.Equal(Whole, await WriteAsync(_ => Seconds() < 300 ? new IOException("down") : null));
        Assert.Equal(0, written[WithBody]);

        double Seconds() => time.GetElapsedTime(start).TotalSeconds;
    }

    [Fact]
    public async Task Body_OfAReducedEntryFailsOnce_IsKept()
    {
        Assert.Equal(
            WithBody,
            await WriteAsync(_ => new InvalidOperationException("no"), count => count == 1 ? new InvalidOperationException("once") : null));
        Assert.Equal(0, written[WithoutBody]);
    }

    [Fact]
    public async Task Body_OfAReducedEntryTimesOut_IsNeverOmitted()
    {
        Assert.Equal(
            WithBody,
            await WriteAsync(_ => new InvalidOperationException("no"), count => count <= 40 ? new TimeoutException() : null));
        Assert.Equal(0, written[WithoutBody]);
    }

    [Fact]
    public async Task Entry_IsAcceptedAfterAll_IsWrittenCompletely()
    {
        Assert.Equal(
            Whole,
            await WriteAsync(count => count <= 8 ? new InvalidOperationException("no") : null, _ => new InvalidOperationException("no")));
    }

    [Fact]
    public async Task Probe_ThatOnlyReads_ProvesNothing()
    {
        Assert.Equal(Whole, await WriteAsync(count => count <= 50 ? new InvalidOperationException("no") : null, probeWrites: false));
        Assert.Equal(0, written[WithBody]);
        Assert.Equal(0, slots.Intake.Reason?.Length ?? 0);
    }

    [Fact]
    public async Task Probe_DoesNotAnswer_PausesTheBusAndIsSentOnceForAllWrites()
    {
        var answer = new TaskCompletionSource();
        probe = _ => answer.Task;
        var down = true;
        var writes = Enumerable.Range(0, 10)
            .Select(_ => WriteAsync(_ => down ? new InvalidOperationException("no") : null, advance: false))
            .ToArray();

        Assert.Equal((true, 1), (writer.StoreIsDown, probes));
        Assert.False(slots.Intake.WhenOpenAsync().IsCompleted);

        // After a probe has had no answer for its time, the next one is sent, and nothing was decided.
        await AdvanceUntilAsync(() => probes > 1);
        Assert.True(writer.StoreIsDown);
        down = false;
        probe = _ => Task.CompletedTask;
        await AdvanceUntilAsync(() => writes.All(write => write.IsCompleted));
        Assert.All(await Task.WhenAll(writes), form => Assert.Equal(Whole, form));
        Assert.False(writer.StoreIsDown);
    }

    private async Task<int> WriteAsync(
        Func<int, Exception?> whole,
        Func<int, Exception?>? withBody = null,
        bool probeWrites = true,
        bool advance = true)
    {
        await slots.TakeAsync();
        var subject = new WriteSubject("mail", "order.placed", "1", ProbeAsync) { ProbeWrites = probeWrites };
        var writing = RepeatAsync(subject, form => Write(form, form switch
        {
            Whole => whole,
            WithBody => withBody ?? (_ => null),
            _ => _ => null,
        }));
        if (advance)
        {
            await AdvanceUntilAsync(() => writing.IsCompleted);
        }

        return await writing;
    }

    private async Task<int> RepeatAsync(WriteSubject subject, Func<int, ValueTask> write)
    {
        await using var repeated = writer.Begin(subject, slots, forms: 3);
        while (true)
        {
            try
            {
                await write(repeated.Form);
                return repeated.Form;
            }
            catch (Exception exception)
            {
                await repeated.RepeatAsync(exception);
            }
        }
    }

    private Task ProbeAsync(CancellationToken cancellationToken)
    {
        probes++;
        return probe(cancellationToken);
    }

    private ValueTask Write(int form, Func<int, Exception?> outcome) =>
        outcome(++written[form]) is { } error ? ValueTask.FromException(error) : ValueTask.CompletedTask;

    private Task AdvanceUntilAsync(Func<bool> condition) => time.AdvanceUntilAsync(
        TimeSpan.FromMilliseconds(100),
        () => $"written: {string.Join(", ", written)}; probes: {probes}",
        () => Task.FromResult(condition()),
        Token);
}

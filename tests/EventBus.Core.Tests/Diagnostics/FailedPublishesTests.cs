using EventBus.Transports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests how many of the failed publishes are logged.</summary>
public sealed class FailedPublishesTests : IDisposable
{
    private readonly FakeTimeProvider time = new();
    private readonly LogMemory memory = new();
    private readonly PrintableLogger log;

    public FailedPublishesTests() => log = new PrintableLogger(memory, time);

    public void Dispose() => memory.Dispose();

    [Fact]
    public void Failure_First_IsLoggedAtOnceWithNameIdOutcomeAndCause()
    {
        Fail("order.placed", "1");

        Assert.Equal(
            ["Publishing order.placed 1 failed (Failed): Connection refused. Further failures of this kind are counted, and reported at "
                + "most every 10 s"],
            memory.At(LogLevel.Error));
    }

    [Fact]
    public void Failures_ThatFollow_AreCountedInOneEntryPer10Seconds()
    {
        for (var second = 0; second < 25; second++)
        {
            Fail("order.placed", $"{second}");
            time.Advance(TimeSpan.FromSeconds(1));
        }

        var entries = memory.At(LogLevel.Error).ToList();
        Assert.Equal(3, entries.Count);
        Assert.All(entries.Skip(1), text => Assert.Contains("failed 10 times since the last entry (F", text, StringComparison.Ordinal));
        Assert.Contains("is 20: Connection refused.", entries[2], StringComparison.Ordinal);
    }

    [Fact]
    public void Failures_ThatEnd_AreReportedWithoutAFurtherFailure()
    {
        Fail("order.placed", "1");
        Fail("order.placed", "2");
        Fail("order.placed", "3");
        Assert.Single(memory.Entries);

        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Contains("failed 2 times", memory.Entries[^1].Text, StringComparison.Ordinal);

        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(2, memory.Entries.Count);

        Fail("order.placed", "4");
        Assert.Contains("Publishing order.placed 4 failed", memory.Entries[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Failures_OfOtherNamesOrKinds_AreLoggedAtOnce()
    {
        Fail("order.placed", "1");
        Fail("order.paid", "2");
        Fail("order.placed", "3", PublishFailure.InDoubt);
        Fail("order.placed", "4");

        Assert.Equal(3, memory.Entries.Count);
    }

    [Fact]
    public void Failures_OfVeryManyNames_AreCountedAsOtherEvents()
    {
        for (var i = 0; i < 10 * FailedPublishes.MaxKinds; i++)
        {
            Fail($"order.e{i}", $"{i}");
        }

        Assert.Equal(FailedPublishes.MaxKinds + 1, memory.Entries.Count);
        Assert.Contains($"Publishing {FailedPublishes.OtherEvents} ", memory.Entries[^1].Text, StringComparison.Ordinal);

        // Later there is room for new names.
        time.Advance(TimeSpan.FromSeconds(30));
        Fail("order.new", "new");
        Assert.Contains("Publishing order.new new failed", memory.Entries[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void End_OfCountedFailures_ReportsThemOnce()
    {
        Fail("order.placed", "1");
        Fail("order.placed", "2");

        log.EndFailedPublishes();
        log.EndFailedPublishes();

        Assert.Equal(2, memory.Entries.Count);
        Assert.Contains("failed 1 times", memory.Entries[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Failures_AfterTheEnd_AreReportedByTheNextOneAndByNoTimer()
    {
        Fail("order.placed", "1");
        Fail("order.placed", "2");
        log.EndFailedPublishes();
        Fail("order.placed", "3");
        Fail("order.placed", "4");

        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(2, memory.Entries.Count);

        Fail("order.placed", "5");
        Assert.Contains("failed 3 times", memory.Entries[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Failure_LoggedTwice_IsOneEntry()
    {
        var failure = Failure("1", PublishFailure.Failed);

        log.FailedPublish("order.placed", failure);
        log.FailedPublish("order.placed", failure);
        log.FailedPublish("order.placed", new PublishManyException([null, failure]));
        time.Advance(TimeSpan.FromMinutes(1));

        Assert.Single(memory.Entries);
    }

    [Fact]
    public void Failure_ThatTheBusRepeats_IsAWarning()
    {
        log.FailedPublish("order.placed", Failure("1", PublishFailure.Failed), isRepeated: true);

        Assert.Single(memory.At(LogLevel.Warning));
    }

    private static PublishException Failure(string eventId, PublishFailure failure) => new("Connection refused.", failure, eventId);

    private void Fail(string eventName, string eventId, PublishFailure failure = PublishFailure.Failed) =>
        log.FailedPublish(eventName, Failure(eventId, failure));
}

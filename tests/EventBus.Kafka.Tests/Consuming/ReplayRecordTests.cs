namespace EventBus.Kafka.Tests;

public sealed class ReplayRecordTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(1, 0)]
    [InlineData(8_016, 123)]
    [InlineData(500_000, ReplayRecord.MaxUntil)]
    public void Record_WrittenAndRead_IsTheSame(long number, long until)
    {
        var record = new ReplayRecord(number, until);

        Assert.Equal(record, ReplayRecord.FromOffset(record.ToOffset()));
        Assert.True(record.ToOffset() > 0);
    }

    [Theory, InlineData(-1_001), InlineData(0), InlineData(123)]
    public void Record_ThatIsAPosition_IsNoReplay(long offset) => Assert.False(ReplayRecord.FromOffset(offset).Includes(0));

    [Theory]
    [InlineData(0, 24)]
    [InlineData(23, 24)]
    [InlineData(24, 25)]
    [InlineData(100, 101)]
    public void Number_OfTheNextReplay_IsHigherThanTheLastOneAndGrowsWithTime(long last, long expected) =>
        Assert.Equal(expected, ReplayRecord.NumberAfter(last, Now));
}

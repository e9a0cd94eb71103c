namespace EventBus.Kafka.Tests;

public sealed class PeriodRecordTests
{
    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(17, 3, true)]
    [InlineData(1L << 50, 63, false)]
    public void FromOffset_OfWhatWasStored_IsTheSame(long position, int ends, bool isOpen)
    {
        var record = new PeriodRecord(position, ends, isOpen);

        Assert.Equal(record, PeriodRecord.FromOffset(record.ToOffset()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4_711)]
    public void FromOffset_OfAnythingElse_IsAProperEnd(long offset) => Assert.Equal(0, PeriodRecord.FromOffset(offset).UncleanEndsAt(0));

    [Fact]
    public void UncleanEndsAt_TheSamePosition_CountsInARow()
    {
        Assert.Equal(0, new PeriodRecord(5, 2, IsOpen: false).UncleanEndsAt(5));
        Assert.Equal(1, new PeriodRecord(5, 0, IsOpen: true).UncleanEndsAt(5));
        Assert.Equal(3, new PeriodRecord(5, 2, IsOpen: true).UncleanEndsAt(5));
        Assert.Equal(1, new PeriodRecord(5, 2, IsOpen: true).UncleanEndsAt(6));
        Assert.Equal(63, PeriodRecord.FromOffset(new PeriodRecord(5, 1_000, IsOpen: true).ToOffset()).UncleanEnds);
    }
}

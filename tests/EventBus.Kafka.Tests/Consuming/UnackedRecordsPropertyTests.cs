namespace EventBus.Kafka.Tests;

/// <summary>Compares <see cref="UnackedRecords"/> with a simple model under random sequences of steps.</summary>
public sealed class UnackedRecordsPropertyTests
{
    [Theory]
    [InlineData(11, false)]
    [InlineData(12, false)]
    [InlineData(13, false)]
    [InlineData(14, true)]
    [InlineData(15, true)]
    [InlineData(16, true)]
    public void Records_UnderRandomSteps_AreNeitherLostNorStoredTooEarly(int seed, bool ordered)
    {
        for (var run = 0; run < 40; run++)
        {
            var random = new Random((seed * 1_000) + run);
            using var model = new RecordsModel(random, ordered);
            for (var step = 0; step < 600; step++)
            {
                model.Step();
            }

            model.Finish();
        }
    }
}

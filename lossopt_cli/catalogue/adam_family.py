"""Adam and its relatives in Keras: a mean of gradients over the root of a mean of their squares."""

from lossopt_cli.catalogue.optimizer_settings import (
    AMSGRAD,
    SHARED,
    SHARED_BRANCHES,
    beta_1,
    beta_2,
    epsilon,
    learning_rate,
    weight_decay,
)
from lossopt_cli.catalogue.rows import OptimizerRow, Setting

_MEANS = ("m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2",)
_ADAM_STEP = "w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t)  m / (sqrt(v) + epsilon)"

ADAM_FAMILY = (
    OptimizerRow(
        name="adam",
        library="keras",
        class_name="Adam",
        family="Adam and relatives",
        update=(*_MEANS, _ADAM_STEP),
        use="the first choice when nothing is known: forgives a wrong rate more than most",
        trade="twice the memory of momentum; steps of about lr whatever the size of the gradient",
        paper="Kingma & Ba 2015; amsgrad Reddi et al. 2018",
        state="2",
        settings=(learning_rate(0.001), beta_1(), beta_2(), epsilon(), AMSGRAD, weight_decay(), *SHARED),
        branches=("amsgrad", *SHARED_BRANCHES),
        torch="torch.optim.Adam(lr=0.001)",
        differs=(
            "torch: eps 1e-8, added after the bias correction (Keras 1e-7, before it: in torch's terms"
            " eps / sqrt(1 - beta_2^t)); weight_decay is L2 (Keras: decoupled, so Adam with it is AdamW)"
        ),
    ),
    OptimizerRow(
        name="adamw",
        library="keras",
        class_name="AdamW",
        family="Adam and relatives",
        update=("w -= lr weight_decay w", *_MEANS, _ADAM_STEP),
        use="Adam with weight decay from the start; transformers and anything that overfits",
        trade="as Adam; the decay follows the learning rate and its schedule",
        paper="Loshchilov & Hutter 2019",
        state="2",
        settings=(
            learning_rate(0.001),
            weight_decay(0.004),
            beta_1(),
            beta_2(),
            epsilon(),
            AMSGRAD,
            *SHARED,
        ),
        branches=("amsgrad", *SHARED_BRANCHES),
        torch="torch.optim.AdamW(lr=0.001, weight_decay=0.004)",
        differs=(
            "torch: weight_decay 0.01 (Keras 0.004), eps 1e-8 (1e-7); decoupled in both. Keras decays every"
            " weight, biases and batch norms too, as torch does"
        ),
    ),
    OptimizerRow(
        name="adamax",
        library="keras",
        class_name="Adamax",
        family="Adam and relatives",
        update=(
            "m = beta_1 m + (1 - beta_1) g;  u = max(beta_2 u, |g|)",
            "w -= lr / (1 - beta_1^t)  m / (u + epsilon)",
        ),
        use="Adam with a maximum in place of the mean of squares; spiky gradients, embeddings",
        trade="calmer than Adam after a spike, and slower: try twice Adam's rate",
        paper="Kingma & Ba 2015, section 7.1",
        state="2",
        settings=(
            learning_rate(0.001),
            beta_1(),
            beta_2(meaning="decay of the maximum, u"),
            epsilon(meaning="added to u"),
            weight_decay(),
            *SHARED,
        ),
        branches=SHARED_BRANCHES,
        torch="torch.optim.Adamax(lr=0.001)",
        differs=(
            "torch and the paper: lr 0.002 (Keras 0.001); torch: eps 1e-8, added to |g| (1e-7, to u);"
            " weight_decay is L2 (Keras: decoupled)"
        ),
    ),
    OptimizerRow(
        name="nadam",
        library="keras",
        class_name="Nadam",
        family="Adam and relatives",
        update=(
            *_MEANS,
            "b_t = beta_1 (1 - 0.96^t / 2);  B_t = b_1 b_2 ... b_t",
            "n = b_{t+1} m / (1 - B_{t+1}) + (1 - b_t) g / (1 - B_t)",
            "w -= lr n / (sqrt(v / (1 - beta_2^t)) + epsilon)",
        ),
        use="Adam that looks ahead as Nesterov's momentum does; often a little faster early on",
        trade="as Adam; the gain is small and not everywhere",
        paper="Dozat 2016",
        state="2",
        settings=(learning_rate(0.001), beta_1(), beta_2(), epsilon(), weight_decay(), *SHARED),
        branches=SHARED_BRANCHES,
        torch="torch.optim.NAdam(lr=0.001)",
        differs=(
            "torch: lr 0.002 (Keras 0.001), eps 1e-8 (1e-7); weight_decay is L2 (Keras: decoupled);"
            " momentum_decay 0.004 means the same 0.96"
        ),
        fault=(
            "Keras 3.15.1 on torch turns B_t into constants (through NumPy) in every step, so that a recorded"
            " step would be silently wrong; lossopt records Nadam as Keras wrote it for all backends"
        ),
    ),
    OptimizerRow(
        name="schedule_free_adamw",
        library="keras",
        class_name="ScheduleFreeAdamW",
        family="Adam and relatives",
        update=(
            "v = beta_2 v + (1 - beta_2) g^2;  z -= lr g / (sqrt(v / (1 - beta_2^t)) + epsilon)",
            "x = (1 - 1/t) x + z / t       the average of all z",
            "w = (1 - beta_1) z + beta_1 x  where the gradient is taken",
        ),
        use="no schedule and no end to fix beforehand: averaging does what a falling rate would",
        trade="wants a rate 1 to 10 times Adam's; do not add a schedule",
        paper="Defazio et al. 2024",
        state="2",
        settings=(
            learning_rate(0.0025),
            beta_1(meaning="share of the average x in w"),
            beta_2(),
            epsilon(1e-8),
            Setting("warmup_steps", 0, "steps over which the rate rises from 0", kind="integer", from_=0, example=100),
            weight_decay(),
            *SHARED,
        ),
        aliases=("schedulefree", "schedule_free"),
        branches=("warmup_steps", *SHARED_BRANCHES),
        torch="schedulefree.AdamWScheduleFree(lr=0.0025)",
        differs="schedulefree: weights x by lr^2 during warm-up, and .eval() swaps x in for the evaluation",
        fault=(
            "Keras 3.15.1 on torch overwrites a value that it still needs, so fit is about 10 % off after 20"
            " steps; lossopt trains through stateless_apply, which is right. Keras never swaps to the average"
            " x: results are of the last w"
        ),
    ),
    OptimizerRow(
        name="lamb",
        library="keras",
        class_name="Lamb",
        family="Adam and relatives",
        update=(
            *_MEANS,
            "d = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)",
            "w -= lr |w| / |d| d         norms of each weight array; 1 where one is 0",
        ),
        use="very large batches: each layer moves by a share of its own size",
        trade="biases that start at 0 move as with Adam; small batches gain nothing",
        paper="You et al. 2020",
        state="2",
        settings=(learning_rate(0.001), beta_1(), beta_2(), epsilon(), weight_decay(), *SHARED),
        branches=SHARED_BRANCHES,
        torch="torch.optim has none; pytorch_optimizer.Lamb(lr=0.001)",
        differs="The paper adds weight decay to d before the norms; Keras decays the weights before the step",
    ),
    OptimizerRow(
        name="adafactor",
        library="keras",
        class_name="Adafactor",
        family="Adam and relatives",
        update=(
            "v = (mean g^2 of its row) (mean g^2 of its column) / (mean of all)",
            "d = g / sqrt(v), divided by max(1, rms(d) / clip_threshold)",
            "w -= max(epsilon_2, rms(w)) min(lr, 1/sqrt(t)) d",
        ),
        use="large models in little memory: a row and a column instead of a matrix",
        trade="the rate is a share of each weight array's size; no momentum; needs care on sparse inputs",
        paper="Shazeer & Stern 2018",
        state="a row and a column of each matrix",
        settings=(
            learning_rate(0.001),
            Setting("beta_2_decay", -0.8, "v's decay is 1 - t to this power", below=0.0),
            Setting("epsilon_1", 1e-30, "added to g^2", from_=0.0),
            Setting("epsilon_2", 0.001, "least size of a weight array, in the step", from_=0.0),
            Setting("clip_threshold", 1.0, "largest root mean square of d", above=0.0),
            Setting("relative_step", True, "let the rate fall as 1/sqrt(t) once below lr", kind="switch"),
            weight_decay(),
            *SHARED,
        ),
        branches=("relative_step", *SHARED_BRANCHES),
        torch="torch.optim.Adafactor(lr=0.001)",
        differs=("torch: lr 0.01 (Keras 0.001), eps1 is the machine's epsilon (1e-30); decoupled decay in both"),
        fault=(
            "Keras 3.15.1 may end in NaN where an input is 0 throughout a batch (the border pixels of"
            " digits): its factored v underflows. lossopt does not change the rule: such a run ends as"
            " diverged; epsilon_1=1e-12 avoids it"
        ),
        non_finite=(
            "Its factored second moment underflows where an input is 0 throughout a batch, as the border pixels"
            " of digits are: a known fault of Keras 3.15.1. --opt adafactor:epsilon_1=1e-12 avoids it"
        ),
    ),
)
